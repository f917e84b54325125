import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from core6.analytics import loading
from core6.analytics.models import DistinctId, Event, Person
from core6.provisioning import provision as provisioning
from core6.provisioning import world
from core6.settings import BASE_DIR
from core6.terminal import progress
from projects.models import Project
from tests.support.places import place
from tests.support.serving import environment, manage, refusal, wait_until

AT = "organizations[0].projects[0]"
GIVEN = "0195a0c0-0000-7000-8000-000000000001"
NO_TIME = "is no ISO 8601 time, and not so long ago as -12h or -3d (units h, d, w, m, y)"
PEOPLE: list[dict[str, Any]] = [
    {"distinct_ids": ["p1", "alice"], "uuid": GIVEN, "properties": {"plan": "pro"}},
    {"distinct_ids": ["p2"]},
]
EVENTS: list[dict[str, Any]] = [
    {"distinct_id": "p1", "event": "$pageview", "timestamp": "2026-01-02T00:00:00Z", "properties": {"path": "/"}},
    {"distinct_id": "unknown", "event": "$pageview", "timestamp": "-12h"},
]


def declared(**given: Any) -> dict[str, Any]:
    return {"organizations": [{"name": "Acme", "projects": [{"name": "Web", **given}]}]}


def web(made: dict[str, Any]) -> dict[str, Any]:
    return made["organizations"]["Acme"]["projects"]["Web"]


def provision(base: Path | None = None, **given: Any) -> dict[str, Any]:
    return web(provisioning.provision(world.read(json.dumps(declared(**given))), base=base))


def write_lines(path: Path, *records: Any) -> None:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))


@pytest.fixture
def directory() -> Iterator[Path]:
    with place() as parent:
        yield parent / "data"


@pytest.mark.django_db
def test_the_output_names_inline_persons_and_counts_all():
    made = provision(persons=PEOPLE, events=EVENTS)
    second = DistinctId.objects.get(distinct_id="p2").person_uuid
    assert made["persons"] == {"p1": GIVEN, "alice": GIVEN, "p2": str(second)}
    assert (made["person_count"], made["event_count"]) == (3, 2)


@pytest.mark.django_db
def test_a_project_without_people_has_none():
    made = provision()
    assert (made["persons"], made["person_count"], made["event_count"]) == ({}, 0, 0)


@pytest.mark.django_db
def test_a_project_with_events_has_ingested_one():
    provision(persons=PEOPLE)
    assert not Project.objects.get().ingested_event
    provision(events=EVENTS)
    assert Project.objects.get().ingested_event


@pytest.mark.django_db
def test_files_are_relative_to_the_base_and_name_no_persons(tmp_path: Path):
    write_lines(tmp_path / "persons.ndjson", *PEOPLE)
    (tmp_path / "events.ndjson").write_text(f"\n{json.dumps(EVENTS[0])}\n  \n{json.dumps(EVENTS[1])}")
    made = provision(tmp_path, persons="persons.ndjson", events=str(tmp_path / "events.ndjson"))
    assert (made["persons"], made["person_count"], made["event_count"]) == ({}, 3, 2)
    assert set(Event.objects.values_list("distinct_id", flat=True)) == {"p1", "unknown"}


@pytest.mark.django_db
def test_without_a_base_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_lines(tmp_path / "events.ndjson", *EVENTS)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(world.WorldError, match="files cannot be read here: give a list"):
        provision(events="events.ndjson")


@pytest.mark.django_db
@pytest.mark.parametrize("as_files", [False, True])
def test_a_second_run_prints_the_same_and_writes_nothing(tmp_path: Path, as_files: bool):
    write_lines(tmp_path / "persons.ndjson", *PEOPLE)
    write_lines(tmp_path / "events.ndjson", *EVENTS)
    given: dict[str, Any] = {"persons": "persons.ndjson", "events": "events.ndjson"} if as_files else {}
    given = given or {"persons": PEOPLE, "events": EVENTS}

    def rows() -> list[Any]:
        return [list(model._default_manager.order_by("pk").values()) for model in (Project, Person, DistinctId, Event)]

    first, before = provision(tmp_path, **given), rows()
    assert provision(tmp_path, **given) == first
    assert rows() == before


@pytest.mark.django_db
def test_the_same_events_in_a_file_and_in_a_list_are_the_same(tmp_path: Path):
    write_lines(tmp_path / "events.ndjson", *EVENTS)
    provision(tmp_path, events="events.ndjson")
    assert provision(events=EVENTS)["event_count"] == 2


@pytest.mark.django_db
def test_a_second_run_with_other_values_updates_what_it_gives():
    provision(persons=PEOPLE)
    provision(persons=[{"distinct_ids": ["p1", "al"], "properties": {"age": 31}}])
    person = Person.objects.get(uuid=GIVEN)
    assert person.properties == {"age": 31}
    names = DistinctId.objects.filter(person_uuid=GIVEN).values_list("distinct_id", flat=True)
    assert set(names) == {"p1", "alice", "al"}


@pytest.mark.django_db
def test_times_without_quotes_are_times_in_yaml():
    text = """organizations: [{name: Acme, projects: [{name: Web,
      persons: [{distinct_ids: [p1], created_at: 2026-01-01, properties: {since: 2026-01-01}}],
      events: [{distinct_id: p1, event: a, timestamp: 2026-01-02T00:00:00Z}]}]}]"""
    provisioning.provision(world.read(text))
    assert Person.objects.get().created_at.isoformat() == "2026-01-01T00:00:00+00:00"
    assert Person.objects.get().properties == {"since": "2026-01-01"}
    assert Event.objects.get().timestamp.isoformat() == "2026-01-02T00:00:00+00:00"


@pytest.mark.django_db
def test_an_emoji_that_json_escapes_is_kept():
    provision(persons=[{"distinct_ids": ["😀"], "properties": {"mood": "😀"}}])
    assert Person.objects.get().properties == {"mood": "😀"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"persons": 5}, f"{AT}.persons: expected a list, or the path of an NDJSON file"),
        ({"events": None}, f"{AT}.events: expected a list, or the path of an NDJSON file"),
        ({"events": {"a": 1}}, f"{AT}.events: expected a list, or the path of an NDJSON file"),
        ({"persons": [{"distinct_ids": ["a"], "name": "A"}]}, f"{AT}.persons[0].name: unknown property"),
        ({"persons": [*PEOPLE, 5]}, f"{AT}.persons[2]: expected an object, got 5"),
        ({"events": [*EVENTS, {}]}, f"{AT}.events[2].event: this property is required"),
        (
            {"events": [*EVENTS, {**EVENTS[0], "timestamp": "soon"}]},
            f"{AT}.events[2].timestamp: 'soon' {NO_TIME}",
        ),
        (
            {"events": [{**EVENTS[0], "properties": {"a": float("nan")}}]},
            f"{AT}.events[0].properties.a: nan is no number that can be stored",
        ),
        (
            {"persons": [*PEOPLE, {"distinct_ids": ["alice", "p2"]}]},
            f"{AT}.persons[2].distinct_ids: 'p2' belongs to another person than the names beside it",
        ),
        ({"events": "no.ndjson"}, f"{AT}.events: no.ndjson cannot be read: No such file or directory"),
        ({"events": "."}, f"{AT}.events: . cannot be read: Is a directory"),
        ({"events": ""}, f"{AT}.events:  cannot be read: Is a directory"),
        ({"events": "a\0b"}, f"{AT}.events: the text has a character that cannot be stored"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(tmp_path: Path, given: dict[str, Any], message: str):
    with pytest.raises(world.WorldError) as error:
        provision(tmp_path, **{"persons": PEOPLE, **given})
    assert str(error.value) == message
    assert not Project.objects.exists()
    assert not Person.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"distinct_id": "a", "event": "b", "timestamp": "soon"}', "timestamp: 'soon' is no ISO 8601 time"),
        (b'{"distinct_id": "a", "event": "b"}', "timestamp: this property is required"),
        (b'{"distinct_id": "a\\u0000", "event": "b"}', "distinct_id: holds a NUL character"),
        (b'{"distinct_id": "a", "properties": {"a": NaN}}', "no JSON: unexpected character"),
        (b'{"distinct_id": "a", "properties": {"a": 1e999}}', "no JSON: number is infinity"),
        (b"{", "no JSON: "),
        (b'"\xff"', "no JSON: "),
        (b"[]", "expected an object, got a list"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_written(tmp_path: Path, line: bytes, message: str):
    good = json.dumps(EVENTS[0]).encode()
    (tmp_path / "events.ndjson").write_bytes(b"\n".join([good, b"", line, good]))
    with pytest.raises(world.WorldError) as error:
        provision(tmp_path, events="events.ndjson")
    assert str(error.value).startswith(f"{AT}.events: line 3 of events.ndjson: {message}")
    assert "\n" not in str(error.value)
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_a_file_without_line_ends_is_not_held(tmp_path: Path):
    text = json.dumps(EVENTS * 1000)
    (tmp_path / "events.ndjson").write_text(text * (17 * 2**20 // len(text)))
    with pytest.raises(world.WorldError, match=r"line 1 of events\.ndjson: longer than 16 MB"):
        provision(tmp_path, events="events.ndjson")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.django_db
def test_a_terminal_sees_how_much_of_a_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_lines(tmp_path / "events[1].ndjson", *EVENTS)
    terminal, load = Terminal(), loading.load_events

    def load_and_wait(project_id: int, records: loading.Records, *, now: datetime) -> None:
        load(project_id, records, now=now)
        pattern = r"events\[1\]\.ndjson: storing.*100% (\d+) bytes/\1 bytes"
        wait_until(lambda: re.search(pattern, terminal.getvalue()), "bar")

    monkeypatch.setattr(loading, "load_events", load_and_wait)
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(sys, "stderr", terminal)
    assert provision(tmp_path, events="events[1].ndjson")["event_count"] == 2


def write_many(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.writelines(
            f'{{"distinct_id": "p{i % 5000}", "event": "event {i % 7}", "timestamp": "-{i % 90}d",'
            f' "properties": {{"path": "/{i % 50}", "price": {i % 100}.5}}}}\n'
            for i in range(count)
        )


@pytest.mark.django_db
def test_20000_events_are_loaded_in_seconds(tmp_path: Path):
    write_many(tmp_path / "events.ndjson", 20_000)
    began = time.monotonic()
    made = provision(tmp_path, events="events.ndjson")
    assert (made["person_count"], made["event_count"]) == (5_000, 20_000)
    assert time.monotonic() - began < 5


MEASURED = """
import pathlib, re, runpy, sys
sys.argv = ["manage.py", "provision", sys.argv[1]]
try:
    runpy.run_path("manage.py", run_name="__main__")
finally:
    # Not what the system says of its usage: a new process starts with the peak of the one that it was forked from.
    status = pathlib.Path("/proc/self/status").read_text()
    print(int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) * 1024, file=sys.stderr)
"""


@pytest.mark.whole
def test_200000_events_need_less_than_300_megabytes(directory: Path, tmp_path: Path):
    write_many(tmp_path / "events.ndjson", 200_000)
    (tmp_path / "world.json").write_text(json.dumps(declared(events="events.ndjson")))
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path / "world.json")],
        cwd=BASE_DIR,
        env=environment(directory, {}),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert web(json.loads(done.stdout))["event_count"] == 200_000
    assert int(done.stderr) < 300e6


def test_the_command_reads_files_beside_its_own_and_undoes_all_on_an_error(directory: Path, tmp_path: Path):
    write_lines(tmp_path / "events.ndjson", *EVENTS, {})
    (tmp_path / "world.json").write_text(json.dumps(declared(persons=PEOPLE, events="events.ndjson")))
    message = refusal(directory, "provision", str(tmp_path / "world.json"))
    assert message.endswith(f"{AT}.events: line 3 of events.ndjson: event: this property is required")
    write_lines(tmp_path / "events.ndjson", *EVENTS)
    done = manage(directory, "provision", str(tmp_path / "world.json"))
    assert web(json.loads(done.stdout))["event_count"] == 2
