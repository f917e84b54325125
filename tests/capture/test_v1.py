"""The newer protocol of SDKs, `/i/v1/analytics/events`."""

import gzip
import json
import zlib
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from core6.analytics.models import DistinctId, Event, Person
from tests.conftest import Cast

PATH = "/i/v1/analytics/events"


def send(client: Client, token: str, body: Any, content: Any = None, **headers: str) -> Any:
    known = {
        "Authorization": f"Bearer {token}",
        "PostHog-Sdk-Info": "test/1",
        "PostHog-Attempt": "1",
        "PostHog-Request-Id": str(uuid4()),
        "PostHog-Request-Timestamp": timezone.now().isoformat(),
    }
    given = {name: value for name, value in {**known, **headers}.items() if value}
    content = content or (body if isinstance(body, bytes) else json.dumps(body).encode())
    return client.generic("POST", PATH, content, content_type="application/json", headers=given)


def event(**given: Any) -> dict[str, Any]:
    known = {"event": "seen", "uuid": str(uuid4()), "distinct_id": "p1", "timestamp": timezone.now().isoformat()}
    return {**known, **given}


def test_events_are_stored_with_a_result_for_each(cast: Cast, client: Client):
    one = event(session_id="s1", window_id="w1", properties={"$set": {"plan": "pro"}})
    two = event(distinct_id="p2", options={"process_person_profile": False})
    answer = send(client, cast.web.api_token, {"batch": [one, two]})
    assert answer.status_code == 200
    assert answer.json() == {"results": {one["uuid"]: {"result": "ok"}, two["uuid"]: {"result": "ok"}}}
    assert Event.objects.get(uuid=one["uuid"]).properties["$session_id"] == "s1"
    assert Person.objects.get().properties["plan"] == "pro"
    assert list(DistinctId.objects.values_list("distinct_id", flat=True)) == ["p1"]


@pytest.mark.parametrize(
    ("given", "details"),
    [
        ({"event": ""}, "missing_event_name"),
        ({"event": "x" * 201}, "event_name_too_long"),
        ({"distinct_id": " "}, "missing_distinct_id"),
        ({"distinct_id": "x" * 201}, "distinct_id_too_large"),
        ({"timestamp": "yesterday"}, "invalid_event_timestamp"),
        ({"properties": [1]}, "malformed_event_properties"),
        ({"options": {"process_person_profile": "no"}}, "invalid_options"),
    ],
)
def test_one_wrong_event_is_dropped_alone(cast: Cast, client: Client, given: dict[str, Any], details: str):
    wrong, right = event(**given), event()
    results = send(client, cast.web.api_token, {"batch": [wrong, right]}).json()["results"]
    assert results == {
        wrong["uuid"]: {"result": "drop", "details": details},
        right["uuid"]: {"result": "ok"},
    }
    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        ({"batch": []}, {}, 400, "empty_batch"),
        ({"batch": 1}, {}, 400, "invalid_batch"),
        (b"{", {}, 400, "invalid_batch"),
        ({"batch": [{"event": "x"}]}, {}, 400, "missing_event_uuid"),
        ({"batch": [event()]}, {"PostHog-Sdk-Info": ""}, 400, "missing_required_headers"),
        ({"batch": [event()]}, {"PostHog-Attempt": "x"}, 400, "invalid_header_value"),
        ({"batch": [event()]}, {"PostHog-Request-Timestamp": "x"}, 400, "invalid_header_value"),
        ({"batch": [event()]}, {"Authorization": "Bearer phc_unknown"}, 401, "invalid_api_token"),
        ({"batch": [event()]}, {"Content-Encoding": "br"}, 415, "unsupported_content_encoding"),
        ({"batch": [event()]}, {"Content-Encoding": "gzip"}, 400, "invalid_batch"),
    ],
)
def test_a_wrong_request_stores_nothing(
    cast: Cast, client: Client, body: Any, headers: dict[str, str], status: int, code: str
):
    answer = send(client, cast.web.api_token, body, **headers)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert not Event.objects.exists()


def test_the_same_uuid_twice_is_refused(cast: Cast, client: Client):
    one = event()
    answer = send(client, cast.web.api_token, {"batch": [one, one]})
    assert (answer.status_code, answer.json()["error"]) == (400, "duplicate_event_uuid")


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_body_may_be_compressed(cast: Cast, client: Client, encoding: str, pack: Any):
    content = pack(json.dumps({"batch": [event()]}).encode())
    answer = send(client, cast.web.api_token, None, content, **{"Content-Encoding": encoding})
    assert answer.status_code == 200
    assert Event.objects.count() == 1


def test_any_origin_may_call(cast: Cast, client: Client):
    answer = client.options(PATH, headers={"Origin": "https://a.example", "Access-Control-Request-Headers": "x-a"})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert answer.headers["Access-Control-Allow-Headers"] == "x-a"
