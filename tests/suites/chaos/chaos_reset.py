"""`manage.py reset`: a saved state comes back beside a running server, which goes on with it."""

import re
import signal
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import pytest
from django.core.management import CommandError
from django.db import connection

from core6.database import embedded
from core6.management.commands import reset
from tests.suites.chaos.clients import Crowd, numbers_below
from tests.suites.chaos.stage import IDLE_WITHIN, KEY, PERSONS, Stage, stage
from tests.support.places import ask, connect, place
from tests.support.serving import manage, refusal, wait_until

MARK = "SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database WHERE datname LIKE 'core6%'"


@pytest.fixture(scope="module")
def scene() -> Iterator[Stage]:
    """A server whose first state is saved."""
    with stage("--workers", "2") as made:
        assert "no state of core6 was saved: run `manage.py reset --save` first" in refusal(made.directory, "reset")
        made.settle()
        done = manage(made.directory, "reset", "--save")
        assert (done.returncode, done.stderr) == (0, ""), done
        assert re.fullmatch(r"Saved core6 in \d+ ms\. To bring it back: manage\.py reset\n", done.stdout)
        made.recover()
        yield made


def bring_back(scene: Stage) -> None:
    done = manage(scene.directory, "reset")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert re.fullmatch(r"Reset core6 in \d+ ms\.\n", done.stdout)
    scene.recover()


def note(scene: Stage, content: str) -> int:
    body = {"content": content, "scope": "project"}
    return int(scene.ask("POST", scene.path("annotations"), body, 201)["id"])


def notes(scene: Stage) -> list[str]:
    return [row["content"] for row in scene.ask("GET", scene.path("annotations"))["results"]]


def computed(scene: Stage, limit: int) -> dict[str, Any]:
    """Make a cohort and wait for its job: the worker lost its connections, and connects again."""
    made = scene.ask("POST", scene.path("cohorts"), {"name": "new", "filters": numbers_below(limit)}, 201)
    at = f"{scene.path('cohorts')}{made['id']}/"
    found: dict[str, Any] = wait_until(
        lambda: (row := scene.ask("GET", at))["count"] is not None and not row["is_calculating"] and row,
        "count",
        IDLE_WITHIN,
    )
    return found


def test_the_saved_state_comes_back_each_time(scene: Stage):
    web = scene.path()
    # Signed anew each time.
    before, ids = {**scene.ask("GET", web), "live_events_token": None}, []
    for turn in range(3):
        assert notes(scene) == []
        ids.append([note(scene, f"{turn}"), note(scene, "more")])
        scene.ask("PATCH", web, {"name": f"Renamed {turn}"})
        scene.ask("PATCH", f"{web}reset_token/", {})
        bring_back(scene)
        assert {**scene.ask("GET", web), "live_events_token": None} == before
    assert ids[0] == ids[1] == ids[2]
    assert ask(scene.directory, MARK) == ("core6,core6_saved",)


def test_lists_read_before_are_not_answered_again(scene: Stage):
    """The web server keeps pages in memory: those of the saved state are right again, those of what is gone never."""
    empty = notes(scene)
    first = note(scene, "one")
    for _ in range(8):  # each of its processes keeps its own
        assert notes(scene) == ["one"]
    bring_back(scene)
    for _ in range(8):
        assert notes(scene) == empty == []
    assert note(scene, "another") == first
    for _ in range(8):
        assert notes(scene) == ["another"]
    bring_back(scene)


def tag(scene: Stage, known: str = "-") -> tuple[int, str | None]:
    """Return the status and the tag of the list, to who has it with a tag already."""
    with closing(HTTPConnection(scene.address, timeout=15)) as kept_alive:
        headers = {"Authorization": f"Bearer {KEY}", "If-None-Match": known}
        kept_alive.request("GET", scene.path("annotations"), headers=headers)
        answer = kept_alive.getresponse()
        return answer.status, answer.headers["ETag"]


def test_a_tag_of_what_is_gone_is_not_known(scene: Stage):
    _, saved = tag(scene)
    note(scene, "one")
    _, gone = tag(scene)
    assert saved
    assert gone
    assert tag(scene, gone) == (304, gone)
    bring_back(scene)
    assert tag(scene, saved) == (304, saved)
    assert tag(scene, gone) == (200, saved)
    note(scene, "another")
    assert tag(scene, gone)[0] == tag(scene, saved)[0] == 200
    bring_back(scene)


@pytest.mark.parametrize("turn", [1, 2])
def test_under_load_nothing_but_503_is_answered(scene: Stage, turn: int):
    own = [scene.projects[f"Client {number}"] for number in range(2)]
    crowd = Crowd(scene.address, KEY, own, scene.organization, PERSONS)
    crowd.start()
    try:
        wait_until(lambda: crowd.acknowledged >= 10, "writes")
        done = manage(scene.directory, "reset")
        assert (done.returncode, done.stderr) == (0, ""), done
        scene.recover()
    finally:
        crowd.stop()
    failed = [call for call in crowd.calls if call.status is None or call.status >= 500]
    assert [str(call) for call in failed if call.status != 503] == []
    assert all(call.retry_after for call in failed)
    bring_back(scene)  # what they wrote since
    assert notes(scene) == []
    assert manage(scene.directory, "verify").stdout.endswith("checks hold.\n")


def test_the_job_worker_goes_on(scene: Stage):
    bring_back(scene)
    assert computed(scene, 20)["count"] == 20
    bring_back(scene)
    assert computed(scene, 30)["count"] == 30


def test_a_job_worker_that_came_later_is_known(scene: Stage):
    """The saved state knows only the workers of its time."""
    last = "SELECT last_value FROM procrastinate_workers_id_seq"
    computed(scene, 39)  # one is there
    (before,) = ask(scene.directory, last)
    worker = scene.child("worker")
    worker.send_signal(signal.SIGTERM)
    worker.wait(20)
    wait_until(lambda: ask(scene.directory, last)[0] > before, "worker")
    (later,) = ask(scene.directory, last)
    bring_back(scene)
    assert ask(scene.directory, last)[0] >= later
    assert computed(scene, 40)["count"] == 40
    bring_back(scene)


def test_a_line_is_a_reset(scene: Stage):
    note(scene, "one")
    done = manage(scene.directory, "reset", "--lines", stdin="\n\n\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"^Reset core6 in \d+ ms\.$", done.stdout, re.MULTILINE)) == 3
    scene.recover()
    assert notes(scene) == []


def test_what_a_killed_one_left_does_no_harm(scene: Stage):
    with connect(scene.directory, "postgres") as connected:
        connected.autocommit = True
        for name in ("core6_next", "core6_old"):
            connected.execute(f"CREATE DATABASE {name}".encode())
    bring_back(scene)
    assert ask(scene.directory, MARK) == ("core6,core6_saved",)


def test_a_state_of_another_release_is_refused(scene: Stage):
    note(scene, "kept")
    with connect(scene.directory) as connected:
        connected.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('x', '0001', now())")
    assert "the saved state of core6 is of another release" in refusal(scene.directory, "reset")
    with connect(scene.directory) as connected:
        connected.execute("DELETE FROM django_migrations WHERE app = 'x'")
    assert notes(scene) == ["kept"]
    bring_back(scene)
    assert notes(scene) == []


def test_reset_of_a_server_of_others_needs_yes(scene: Stage):
    password = (scene.directory / "pgpass").read_text().strip().rsplit(":", 1)[1]
    url = f"postgres://core6:{quote(password, safe='')}@/{embedded.socket_directory(scene.directory)}/core6"
    given = {"DATABASE_URL": url, "SECRET_KEY": (scene.directory / "secret_key").read_text().strip()}
    nowhere = scene.directory.with_name("none")
    note(scene, "kept")
    for arguments in ((), ("--save",)):
        message = refusal(nowhere, "reset", *arguments, **given)
        assert "replaces what is in it: if that is what you want, add --yes" in message
        assert "the database core6" in message
    assert notes(scene) == ["kept"]
    assert manage(nowhere, "reset", "--yes", **given).returncode == 0
    scene.recover()
    assert notes(scene) == []
    with connect(scene.directory) as connected:
        connected.execute(f"CREATE ROLE guest LOGIN PASSWORD '{password}'".encode())
    guest = {**given, "DATABASE_URL": url.replace("core6:", "guest:", 1)}
    message = refusal(nowhere, "reset", "--yes", "--save", **guest)
    assert "the database refuses: permission denied to" in message


def test_a_newer_state_takes_the_place_of_the_saved_one(scene: Stage):
    note(scene, "saved later")
    assert manage(scene.directory, "reset", "--save").returncode == 0
    scene.recover()
    note(scene, "gone")
    bring_back(scene)
    assert notes(scene) == ["saved later"]


def test_the_state_outlives_the_server(scene: Stage):
    """Without a server the command starts the database itself."""
    note(scene, "gone")
    scene.server.process.send_signal(signal.SIGTERM)
    assert scene.server.process.wait(20) == 0
    assert manage(scene.directory, "reset").returncode == 0
    scene.start_again()
    assert notes(scene) == ["saved later"]


def test_where_there_is_nothing_nothing_is_made():
    with place() as parent:
        assert "there is no database in" in refusal(parent / "data", "reset")
        assert not (parent / "data").exists()


def test_a_name_that_leaves_no_room_is_refused(db: None, monkeypatch: pytest.MonkeyPatch, settings: Any):
    settings.IS_EMBEDDED = True
    settings.IS_PRODUCTION = False
    monkeypatch.setitem(connection.settings_dict, "NAME", "n" * 58)
    with pytest.raises(CommandError, match="is too long to have a copy beside it"):
        reset.Command().run({"yes": False, "save": True, "lines": False})
