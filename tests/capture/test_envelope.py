"""The events of a request, whatever its shape (facts 16 to 19)."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from core6.analytics.models import Event, Person
from core6.capture import envelope
from core6.capture.envelope import Incoming
from core6.capture.refusals import Refused
from tests.conftest import Caller, Cast, invalid
from tests.support.capture.sending import batch, event, send, sent, stored, the_event

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
TOKEN = "phc_the_token_of_a_project"


def read(value: Any, *, is_engage: bool = False) -> envelope.Batch:
    text = value if isinstance(value, str) else json.dumps(value)
    return envelope.read(text, now=NOW, sent_at=None, is_engage=is_engage)


def read_one(given: dict[str, Any], **more: Any) -> Incoming:
    (found,) = read({"api_key": TOKEN, "batch": [given]}, **more).events
    return found


def refused(value: Any, **more: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        read(value, **more)
    return caught.value.status, caught.value.detail


def refused_event(given: Any, **more: Any) -> tuple[int, str]:
    return refused({"api_key": TOKEN, "batch": [given]}, **more)


def visit(**fields: Any) -> dict[str, Any]:
    return {"event": "visit", "distinct_id": "anna", **fields}


@pytest.mark.parametrize(
    "value",
    [
        {"api_key": TOKEN, "batch": [visit()]},
        {"token": TOKEN, "batch": [visit()], "historical_migration": True, "sent_at": "2026-03-15T12:00:00Z"},
        {"batch": [visit(token=TOKEN)]},
        {"batch": [visit(properties={"token": TOKEN})]},
        {"api_key": "", "token": None, "batch": [visit(api_key=TOKEN)]},
        [visit(token=TOKEN)],
        [visit(**{"$token": TOKEN})],
        visit(api_key=TOKEN),
        visit(properties={"token": TOKEN}),
        visit(api_key=f" {TOKEN}\n"),
    ],
)
def test_a_request_is_a_batch_a_list_or_one_event_and_names_a_token(value: Any):
    found = read(value)
    assert found.token == TOKEN
    assert [(each.event, each.distinct_id) for each in found.events] == [("visit", "anna")]


def test_the_token_of_a_batch_wins_over_those_of_its_events():
    assert read({"api_key": TOKEN, "batch": [visit(token="phc_other"), visit(token="phc_third")]}).token == TOKEN


def test_an_event_has_its_token_in_four_places_in_order():
    places = {"token": "phc_1", "$token": "phc_2", "api_key": "phc_3", "properties": {"token": "phc_4"}}
    for number in range(1, 5):
        assert read(visit(**places)).token == f"phc_{number}"
        del places[next(iter(places))]
    assert refused(visit(**places)) == (401, "event submitted without an api_key")


def test_events_of_several_projects_are_refused():
    detail = "batch submitted with inconsistent api_key values"
    assert refused([visit(token="phc_1"), visit(token="phc_2")]) == (401, detail)
    assert refused({"batch": [visit(token="phc_1"), visit(api_key="phc_2")]}) == (401, detail)
    assert read([visit(token="phc_1"), visit()]).token == "phc_1"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", None),
        (" ", None),
        (None, None),
        (12, None),
        ({"a": 1}, None),
        ("phc_\0", "null_byte"),
        ("phc_ü", "not_ascii"),
        ("phc_" + "x" * 61, "too_long"),
        ("phx_" + "x" * 40, "personal_api_key: send the token of a project (phc_…), which its settings show"),
        ("phs_" + "x" * 40, "secret token: send the token of a project (phc_…), which its settings show"),
    ],
)
def test_a_token_that_cannot_be_one_is_refused_with_the_reason(token: Any, reason: str | None):
    detail = f"API key is not valid: {reason}" if reason else "event submitted without an api_key"
    assert refused({"api_key": token, "batch": [visit()]}) == (401, detail)


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
    assert found.properties == {"a\N{REPLACEMENT CHARACTER}": ["b\N{REPLACEMENT CHARACTER}", {"c": "\N{REPLACEMENT CHARACTER}"}]}
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
    text = f'{{"api_key": "{TOKEN}", "batch": [{{"event": "visit", "distinct_id": "anna", "properties": {{"a": {value}}}}}]}}'
    assert refused(text) == (400, f"failed to parse request: {reason}")


@pytest.mark.parametrize("value", ["0", "-9223372036854775808", "18446744073709551615", "-1.5e-7", '"\\ud83d\\ude00"', "null"])
def test_values_at_the_edge_are_stored(cast: Cast, value: str):
    body = f'{{"api_key": "{cast.web.api_token}", "event": "visit", "distinct_id": "anna", "properties": {{"a": {value}}}}}'
    assert Caller(None).post("/capture/", body).status_code == 200
    assert the_event(cast.web).properties["a"] == json.loads(value)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "failed to parse request: the body is no JSON"),
        ("{", "failed to parse request: the body is no JSON"),
        ("hello", "failed to parse request: the body is no JSON"),
        ("[1,]", "failed to parse request: the body is no JSON"),
        ("9" * 5000, "failed to parse request: the body is no JSON"),
        ("1", "failed to parse request: the body is neither an event nor a list of events"),
        ("null", "failed to parse request: the body is neither an event nor a list of events"),
        ('"1"', "failed to parse request: the body is neither an event nor a list of events"),
        ("[]", "request holds no event"),
        ('{"batch": []}', "request holds no event"),
        ('{"batch": {}}', "failed to parse request: batch is no list"),
        ('{"batch": null}', "failed to parse request: batch is no list"),
        ("[1]", "failed to parse request: an event is no object"),
        ('{"batch": [[]]}', "failed to parse request: an event is no object"),
        ("{}", "event submitted with an empty event name"),
    ],
)
def test_what_is_no_request_is_refused_with_the_reason(text: str, detail: str):
    assert refused(text) == (400, detail)


def test_one_bad_event_refuses_all(cast: Cast):
    good = event("visit", "anna")
    for bad in ({"event": "visit"}, event("", "ben"), event("visit", "ben", uuid="x"), event("v", "b", {"a": 2**64})):
        response = send(cast.web, good, bad, good)
        assert response.status_code == 400
        assert response.json() == invalid("invalid_input", response.json()["detail"])
    assert not Event.objects.exists()
    assert not Person.objects.exists()
    sent(cast.web, good)
    assert stored(cast.web) == [("visit", "anna")]


def test_an_event_is_stored_whole(cast: Cast):
    properties = {"$lib": "web", "n": 1.5, "list": [1, None, {"ü": "😀"}], "$set": {"plan": "pro"}}
    given = event("visit", "anna", properties, uuid="01900000-0000-7000-8000-00000000000a", timestamp="2026-03-15T10:00Z")
    assert Caller(None).post("/batch/", batch(cast.web, given)).status_code == 200
    found = the_event(cast.web)
    assert (str(found.uuid), found.event, found.distinct_id) == (given["uuid"], "visit", "anna")
    assert found.timestamp == datetime(2026, 3, 15, 10, tzinfo=UTC)
    assert found.properties == {**properties, "$ip": "127.0.0.1"}
