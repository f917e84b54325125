import re
import uuid
from datetime import UTC, date, datetime
from typing import Any

import pytest

from core6.analytics.record_values import BadRecord
from core6.analytics.records import event_row, person_row

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
EVENT = {"distinct_id": "p1", "event": "$pageview", "timestamp": "2026-01-02T00:00:00Z"}
PERSON = {"distinct_ids": ["p1"]}


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def event(position: int = 0, project_id: int = 1, **given: Any) -> list[str]:
    return event_row({**EVENT, **given}, position, project_id, NOW).rstrip("\n").split("\t")


def test_an_event_without_a_uuid_gets_one_of_version_5():
    assert uuid.UUID(event()[0]).version == 5
    assert uuid.UUID(event()[0]).variant == uuid.RFC_4122


def test_the_derived_uuid_follows_from_project_position_and_content():
    others = [
        event(position=1),
        event(project_id=2),
        event(event="a"),
        event(distinct_id="p2"),
        event(timestamp="-1d"),
        event(properties={"a": 1}),
    ]
    assert len({event()[0], *(row[0] for row in others)}) == 7
    assert event()[0] == event()[0]


def test_the_derived_uuid_does_not_depend_on_the_order_of_properties():
    assert event(properties={"a": 1, "b": 2})[0] == event(properties={"b": 2, "a": 1})[0]


def test_a_relative_time_gives_the_same_uuid_tomorrow():
    record = {**EVENT, "timestamp": "-3d"}
    today, tomorrow = (event_row(record, 0, 1, now).split("\t") for now in (NOW, datetime(2026, 3, 16, tzinfo=UTC)))
    assert today[0] == tomorrow[0]
    assert today[3] != tomorrow[3]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02T03:04:05.123456+02:00", "2026-01-02T01:04:05.123456+00:00"),
        ("2026-01-02 03:04:05", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02", "2026-01-02T00:00:00+00:00"),
        (date(2026, 1, 2), "2026-01-02T00:00:00+00:00"),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02T03:00:00+00:00"),
        ("-12h", "2026-03-15T00:00:00+00:00"),
        ("-3d", "2026-03-12T12:00:00+00:00"),
        ("-2w", "2026-03-01T12:00:00+00:00"),
        ("-1m", "2026-02-13T12:00:00+00:00"),
        ("-1y", "2025-03-15T12:00:00+00:00"),
    ],
)
def test_a_time_is_iso_8601_or_relative_to_now(text: Any, meant: str):
    assert event(timestamp=text)[3] == meant


def test_a_row_escapes_what_copy_would_take_for_its_own():
    assert event(event="a\tb\nc\\d\re")[1] == r"a\tb\nc\\d\re"
    assert event(properties={"a": "\\"})[4] == r'{"a":"\\\\"}'


@pytest.mark.parametrize(
    ("given", "field", "why"),
    [
        ({"nonsense": 1}, "nonsense", "unknown property"),
        ({"event": 5}, "event", "expected a text, got 5"),
        ({"event": ""}, "event", "has 0 characters, expected 1 to 400"),
        ({"event": "x" * 401}, "event", "has 401 characters, expected 1 to 400"),
        ({"distinct_id": "x" * 401}, "distinct_id", "has 401 characters, expected 1 to 400"),
        ({"distinct_id": "a\0"}, "distinct_id", "holds a NUL character"),
        ({"distinct_id": "\ud800"}, "distinct_id", "holds half a surrogate pair, which is no text"),
        ({"distinct_id": None}, "distinct_id", "expected a text, got null"),
        ({"uuid": "x"}, "uuid", "expected a uuid, got 'x'"),
        ({"uuid": None}, "uuid", "expected a uuid, got null"),
        ({"timestamp": 1767312000}, "timestamp", "expected a time, got 1767312000"),
        ({"properties": []}, "properties", "expected an object, got a list"),
        ({"properties": {"a": float("nan")}}, "properties.a", "is no finite number"),
        ({"properties": {"a": [None, float("inf")]}}, "properties.a[1]", "is no finite number"),
        ({"properties": {"a": {"b": "x\0"}}}, "properties.a.b", "holds a NUL character"),
        ({"properties": {"a\0": 1}}, "properties", "has the key 'a\\x00', which is no text that can be stored"),
        ({"properties": {1: 1}}, "properties", "has the key 1, which is no text that can be stored"),
        ({"properties": {"a": 2**64}}, "properties.a", "is an integer of more than 64 bits"),
        ({"properties": {"a": "\ud800"}}, "properties.a", "holds half a surrogate pair, which is no text"),
        ({"properties": {"a": {1}}}, "properties.a", "is of the type set, which JSON does not have"),
        ({"properties": deep(300)}, "properties" + ".a" * 250, "is nested too deeply"),
    ],
)
def test_a_bad_event_is_named_with_its_field(given: dict[str, Any], field: str, why: str):
    with pytest.raises(BadRecord) as refusal:
        event(**given)
    assert (refusal.value.field, refusal.value.why) == (field, why)


@pytest.mark.parametrize("text", ["", "soon", "1767312000", "20260102", "3d", "-3x", "-10000d", "-9999y", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str):
    with pytest.raises(BadRecord, match=re.escape(f"timestamp: {text!r} is no ISO 8601 time, and not so long ago")):
        event(timestamp=text)


@pytest.mark.parametrize("name", ["distinct_id", "event", "timestamp"])
def test_an_event_needs_these(name: str):
    record = {key: value for key, value in EVENT.items() if key != name}
    with pytest.raises(BadRecord, match=f"{name}: this property is required"):
        event_row(record, 0, 1, NOW)


@pytest.mark.parametrize("record", [None, 5, "x", []])
def test_a_record_is_an_object(record: Any):
    for row in (lambda: event_row(record, 0, 1, NOW), lambda: person_row(record, 0, NOW)):
        with pytest.raises(BadRecord, match=r"^expected an object, got"):
            row()


@pytest.mark.parametrize("properties", [{"a": None}, {"a": r"\u0000"}, {"a": "null"}, {"a": {"b": [1.5, True, "ä😀"]}}])
def test_what_looks_like_a_flaw_but_is_none_is_taken(properties: dict[str, Any]):
    assert len(event(properties=properties)) == 5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"distinct_ids": None}, "distinct_ids: expected a list of at least one distinct id, got null"),
        ({"distinct_ids": []}, "distinct_ids: expected a list of at least one distinct id, got a list"),
        ({"distinct_ids": "p1"}, "distinct_ids: expected a list of at least one distinct id, got 'p1'"),
        ({"distinct_ids": ["p1", ""]}, "distinct_ids[1]: has 0 characters, expected 1 to 400"),
        ({"distinct_ids": ["p1", 2]}, "distinct_ids[1]: expected a text, got 2"),
        ({"is_identified": "yes"}, "is_identified: expected true or false, got 'yes'"),
        ({"is_identified": 1}, "is_identified: expected true or false, got 1"),
        ({"uuid": "12"}, "uuid: expected a uuid, got '12'"),
        ({"properties": "x"}, "properties: expected an object, got 'x'"),
        ({"name": "x"}, "name: unknown property"),
    ],
)
def test_a_bad_person_is_named_with_its_field(given: dict[str, Any], message: str):
    with pytest.raises(BadRecord) as refusal:
        person_row({**PERSON, **given}, 0, NOW)
    assert str(refusal.value) == message


def test_a_person_needs_distinct_ids():
    with pytest.raises(BadRecord, match="distinct_ids: this property is required"):
        person_row({}, 0, NOW)


def test_what_a_person_leaves_out_is_null():
    assert person_row(PERSON, 7, NOW) == '7\t\\N\t["p1"]\t\\N\t\\N\tFalse\t\\N\n'
