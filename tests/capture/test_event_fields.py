"""What an event of a request may hold, and what is made of it."""

import json
from typing import Any
from uuid import UUID

import pytest

from tests.conftest import Caller, Cast
from tests.support.capture.reading import TOKEN, read_one, refused, refused_event, visit
from tests.support.capture.sending import the_event


@pytest.mark.parametrize(
    ("fields", "distinct_id"),
    [
        ({"distinct_id": "a", "$distinct_id": "b", "properties": {"distinct_id": "c"}}, "a"),
        ({"$distinct_id": "b", "properties": {"distinct_id": "c"}}, "b"),
        ({"distinct_id": None, "$distinct_id": None, "properties": {"distinct_id": "c"}}, "c"),
        ({"distinct_id": 12}, "12"),
        ({"distinct_id": 12.5}, "12.5"),
        ({"distinct_id": 0}, "0"),
        ({"distinct_id": True}, "true"),
        ({"distinct_id": {"id": 1, "ü": [None]}}, '{"id":1,"ü":[null]}'),
        ({"distinct_id": " a b "}, " a b "),
        ({"distinct_id": "a\0b"}, "a\N{REPLACEMENT CHARACTER}b"),
        ({"distinct_id": "\0"}, "\N{REPLACEMENT CHARACTER}"),
        ({"distinct_id": "ü" * 201}, "ü" * 200),
    ],
)
def test_the_distinct_id_is_found_and_is_a_text(fields: dict[str, Any], distinct_id: str):
    assert read_one({"event": "visit", **fields}).distinct_id == distinct_id


@pytest.mark.parametrize(
    "fields", [{}, {"distinct_id": ""}, {"distinct_id": " \t"}, {"distinct_id": None}, {"properties": {}}]
)
def test_an_event_without_a_distinct_id_is_refused(fields: dict[str, Any]):
    assert refused_event({"event": "visit", **fields}) == (400, "event submitted without a distinct_id")


@pytest.mark.parametrize("name", [None, "", " ", 12, ["visit"], {"a": 1}])
def test_an_event_without_a_name_is_refused(name: Any):
    assert refused_event(visit(event=name)) == (400, "event submitted with an empty event name")
    given = {key: value for key, value in visit().items() if key != "event"}
    assert refused_event(given) == (400, "event submitted with an empty event name")


def test_only_engage_needs_no_name():
    given = {"$set": {"plan": "pro"}, "$distinct_id": "anna"}
    found = read_one(given, is_engage=True)
    assert (found.event, found.distinct_id, found.sets) == ("$identify", "anna", {"plan": "pro"})
    assert read_one(visit(), is_engage=True).event == "visit"
    assert refused_event({**given, "event": ""}, is_engage=True)[0] == 400


def test_names_are_cut_and_hold_no_nul():
    assert read_one(visit(event="é" * 201)).event == "é" * 200
    assert read_one(visit(event="a\0b")).event == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("01900000-0000-7000-8000-00000000000A", UUID("01900000-0000-7000-8000-00000000000a")),
        ("0190000000007000800000000000000a", UUID("01900000-0000-7000-8000-00000000000a")),
        (None, None),
        ("", None),
    ],
)
def test_a_uuid_is_optional(given: str | None, expected: UUID | None):
    assert read_one(visit(uuid=given)).uuid == expected


@pytest.mark.parametrize("given", ["1", "x" * 36, "{01900000-0000-7000-8000-00000000000a}", 12, [], "0190 0000", True])
def test_a_malformed_uuid_is_refused(given: Any):
    assert refused_event(visit(uuid=given)) == (400, "failed to parse request: the uuid of an event is none")


@pytest.mark.parametrize("given", ["x", [], 1, False, 0])
def test_properties_that_are_no_object_are_refused(given: Any):
    detail = "failed to parse request: the properties of an event are no object"
    assert refused_event(visit(properties=given)) == (400, detail)


def test_properties_are_optional():
    assert read_one(visit()).properties == {}
    assert read_one(visit(properties=None)).properties == {}


def test_sets_of_the_event_win_over_those_of_its_properties():
    given = visit(properties={"$set": {"a": 1, "b": 1}, "$set_once": {"c": 1}}, **{"$set": {"b": 2}, "$set_once": "x"})
    found = read_one(given)
    assert (found.sets, found.sets_once) == ({"a": 1, "b": 2}, {"c": 1})


def test_text_in_properties_holds_no_nul():
    found = read_one(visit(properties={"a\0": ["b\0", {"c": "\0"}]}, **{"$set": {"d\0": "e\0"}}))
    assert found.properties == {
        "a\N{REPLACEMENT CHARACTER}": ["b\N{REPLACEMENT CHARACTER}", {"c": "\N{REPLACEMENT CHARACTER}"}]
    }
    assert found.sets == {"d\N{REPLACEMENT CHARACTER}": "e\N{REPLACEMENT CHARACTER}"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("1e400", ".a is no finite number"),
        ("NaN", ".a is no finite number"),
        ("[Infinity]", ".a[0] is no finite number"),
        (str(2**64), ".a is an integer of more than 64 bits"),
        ('"\\ud83d"', ".a holds half a surrogate pair, which is no text"),
        ('{"\\ud83d": 1}', ".a has the key '\\ud83d', which is no text that can be stored"),
    ],
)
def test_values_that_no_database_stores_are_refused_with_their_place(value: str, reason: str):
    event = f'{{"event": "visit", "distinct_id": "anna", "properties": {{"a": {value}}}}}'
    assert refused(f'{{"api_key": "{TOKEN}", "batch": [{event}]}}') == (400, f"failed to parse request: {reason}")


@pytest.mark.parametrize(
    "value", ["0", "-9223372036854775808", "18446744073709551615", "-1.5e-7", '"\\ud83d\\ude00"', "null"]
)
def test_values_at_the_edge_are_stored(cast: Cast, value: str):
    event = f'{{"event": "visit", "distinct_id": "anna", "properties": {{"a": {value}}}}}'
    body = f'{{"api_key": "{cast.web.api_token}", "batch": [{event}]}}'
    assert Caller(None).post("/capture/", body).status_code == 200
    assert the_event(cast.web).properties["a"] == json.loads(value)
