"""The shapes of a request, and the token that it names."""

from datetime import UTC, datetime
from typing import Any

import pytest

from core6.analytics.models import Event, Person
from tests.conftest import Caller, Cast, invalid
from tests.support.capture.reading import TOKEN, read, refused, visit
from tests.support.capture.sending import batch, event, send, sent, stored, the_event


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
    given = event(
        "visit", "anna", properties, uuid="01900000-0000-7000-8000-00000000000a", timestamp="2026-03-15T10:00Z"
    )
    assert Caller(None).post("/batch/", batch(cast.web, given)).status_code == 200
    found = the_event(cast.web)
    assert (str(found.uuid), found.event, found.distinct_id) == (given["uuid"], "visit", "anna")
    assert found.timestamp == datetime(2026, 3, 15, 10, tzinfo=UTC)
    assert found.properties == {**properties, "$ip": "127.0.0.1"}
