"""How a lab starts, what `serve` refuses, and that a server without --lab knows nothing of it."""

import json
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.management import CommandError, call_command

from core6.database import data_directory
from core6.database.data_directory import Unusable
from tests.support.lab import Lab
from tests.support.places import ask, place
from tests.support.serving import LIGHT, child, manage, none_survives, refusal, serving, survivors, wait_until
from tests.support.settings import SECRET, python

LOADED = """
import sys, core6.wsgi
from core6.wsgi import application
print(sorted(name for name in sys.modules if name.split(".")[0] == "aiohttp" or name.startswith("core6.lab")))
"""
#: Environment and options of a lab that is refused, and what the message has.
REFUSED: dict[str, tuple[dict[str, str], tuple[str, ...], str]] = {
    "beside a database URL": (
        {"DATABASE_URL": "postgres://u:p@127.0.0.1:1/x", "SECRET_KEY": SECRET},
        (),
        "--lab makes a database of its own: unset DATABASE_URL, or leave --lab out",
    ),
    "a short token": ({"LAB_TOKEN": "t" * 31}, (), "LAB_TOKEN is too short: use 32 random characters or more"),
    "a public address": ({}, ("--host", "0.0.0.0"), "others can reach this lab, and could wipe it: set LAB_TOKEN"),
    "a public IPv6 address": ({}, ("--host", "::"), "others can reach this lab"),
    "behind a proxy": ({"IS_BEHIND_PROXY": "true", "DEBUG": "false"}, (), "others can reach this lab"),
}


def made_without_a_lab(parent: Path) -> Path:
    directory = parent / "data"
    (directory / "postgres").mkdir(parents=True)
    return directory


def made_by_a_lab(parent: Path) -> Path:
    directory = parent / "data"
    data_directory.mark_as_lab(directory)
    return directory


def test_a_directory_made_without_a_lab_is_refused_and_left_as_it_is():
    with place() as parent:
        directory = made_without_a_lab(parent)
        assert "was made without a lab, which could lose its data: use --fresh" in refusal(
            directory, "serve", "--lab", "--port", "0"
        )
        assert [each.name for each in directory.rglob("*")] == ["postgres"]


@pytest.mark.parametrize("case", REFUSED)
def test_a_lab_that_could_lose_data_or_be_wiped_is_refused(settings: Any, case: str):
    given, arguments, message = REFUSED[case]
    settings.IS_LAB = settings.IS_EMBEDDED = "DATABASE_URL" not in given
    settings.LAB_TOKEN = given.get("LAB_TOKEN", "")
    settings.IS_BEHIND_PROXY = "IS_BEHIND_PROXY" in given
    with pytest.raises(CommandError) as caught:
        call_command("serve", "--lab", "--port", "0", *arguments)
    assert message in str(caught.value).replace("CORE6_", "")


def test_a_directory_of_a_lab_is_refused_without_lab(settings: Any):
    settings.IS_EMBEDDED = settings.IS_LAB = True
    with pytest.raises(CommandError, match="was made by `serve --lab`: add --lab"):
        call_command("serve", "--port", "0")


def test_the_option_is_not_taken_in_part():
    """What is read before the settings looks for it in full."""
    for option in ("--la", "--fre"):
        with pytest.raises(CommandError):
            call_command("serve", option)


def test_a_directory_is_marked_before_it_has_a_database_and_its_clock_is_left_alone(tmp_path: Path):
    directory = made_by_a_lab(tmp_path)
    assert data_directory.is_lab(directory)
    (directory / "postgres").mkdir()
    (directory / data_directory.LAB).write_text("60.0\n")
    data_directory.mark_as_lab(directory)
    assert (directory / data_directory.LAB).read_text() == "60.0\n"
    data_directory.reset_clock(directory)
    assert (directory / data_directory.LAB).read_text() == "0\n"
    (directory / data_directory.LAB).unlink()
    with pytest.raises(Unusable):
        data_directory.mark_as_lab(directory)


def loaded_by_the_web_server(directory: Path) -> list[str]:
    done = python(LOADED, CORE6_DATA_DIR=str(directory))
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.replace("'", '"'))
    return found


def test_the_web_server_loads_nothing_of_the_lab(tmp_path: Path):
    assert loaded_by_the_web_server(tmp_path) == []


@pytest.mark.whole
def test_the_web_server_of_a_lab_loads_its_clock_alone(tmp_path: Path):
    data_directory.mark_as_lab(tmp_path)
    assert loaded_by_the_web_server(tmp_path) == ["core6.lab", "core6.lab.clock", "core6.lab.refusals"]


def test_a_running_lab_says_where_it_is_and_has_its_processes(lab: Lab):
    assert lab.server.printed("lab").startswith(f"{lab.server.url}/_lab/, without a key")
    command = lab.process().cmdline()
    assert command[1:3] == ["-m", "core6.lab"]
    assert command[command.index("--host") + 1] == "127.0.0.1"
    web = child(lab.server, "core6.serving")
    assert web
    assert {each.laddr.ip for each in web.net_connections() if each.status == psutil.CONN_LISTEN} <= {"127.0.0.1"}


@pytest.mark.whole
def test_another_server_on_the_directory_is_refused_and_the_clock_stays(lab: Lab):
    lab.ask("PUT", "clock", {"shift": "3d"})
    message = refusal(lab.server.directory, "serve", "--lab", "--port", "0")
    assert f"uses {lab.server.directory} already" in message
    assert lab.ask("GET", "clock")["shift_seconds"] == 3 * 86_400


def test_a_killed_lab_is_there_again(running_lab: Lab):
    running_lab.begin_anew()
    running_lab.order(path="/nowhere", cut=True)
    running_lab.ask("PUT", "clock", {"shift": "3d"})
    killed = running_lab.process()
    killed.kill()
    wait_until(lambda: child(running_lab.server, "core6.lab") not in (None, killed), "another process")
    wait_until(running_lab.server.is_answering, "answers")
    assert running_lab.ask("GET", "faults") == {"results": []}
    # Rows and the clock go together.
    assert running_lab.ask("GET", "clock")["shift_seconds"] == 3 * 86_400
    assert running_lab.note().status == 201
    assert "the lab ended with code -9 and was started again" in running_lab.server.stderr


@pytest.mark.whole
@pytest.mark.parametrize("case", REFUSED)
def test_the_command_refuses_a_lab_in_one_line(case: str):
    given, arguments, message = REFUSED[case]
    with place() as parent:
        assert message in refusal(parent / "data", "serve", "--lab", "--port", "0", *arguments, **given)
        assert survivors(parent / "data") == []


@pytest.mark.whole
def test_a_lab_goes_on_in_its_directory_with_the_time_of_the_machine():
    later = "SELECT max(created_at) > now() + interval '300 days' FROM accounts_user"
    with place() as parent:
        directory = parent / "data"
        with serving(directory, "--lab", *LIGHT) as first:
            key = first.printed("API key")
            assert first.call("PUT", "/_lab/clock", {"shift": "1y"})[0] == 200
            world = json.dumps({"users": [{"email": "late@example.com"}]})
            assert manage(directory, "provision", "-", stdin=world).returncode == 0
            assert ask(directory, later) == (True,)
            first.note("of the first start")
            assert first.stop() == 0
        none_survives(directory)
        assert "add --lab" in refusal(directory, "serve", "--port", "0")
        with serving(directory, "--lab", *LIGHT) as second:
            assert second.call("GET", "/_lab/clock")[1]["shift_seconds"] == 0
            assert second.call("POST", "/_lab/reset", {})[0] == 200
            rows = second.call("GET", second.annotations, key=key)[1]["results"]
            assert "of the first start" in [row["content"] for row in rows]
