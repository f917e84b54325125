"""How much one request may hold (E14): more is 413, soon, and nothing is stored."""

import time
from typing import Any

import pytest

from core6.analytics.models import Event
from tests.conftest import Caller, Cast
from tests.support.capture.sending import FORM, as_base64, as_form, as_gzip, as_json, batch, event, send, stored

MB = 1024**2
SMALL_PATHS = ["/e/", "/i/v0/e/", "/capture/", "/track/", "/engage/"]


def sized(cast: Cast, size: int) -> bytes:
    """Return a batch of one event in so many bytes."""
    empty = as_json(batch(cast.web, event("visit", "anna", {"text": ""})))
    return as_json(batch(cast.web, event("visit", "anna", {"text": "x" * (size - len(empty))})))


def refusal(path: str, body: bytes, **given: Any) -> str:
    """Return the detail of a 413, which must come soon."""
    given.setdefault("content_type", "application/json")
    started = time.process_time()
    response = Caller(None).post(path, body, **given)
    assert time.process_time() - started < 5
    assert response.status_code == 413
    answer = response.json()
    assert (answer["code"], answer["attr"]) == ("request_too_large", None)
    assert answer["detail"].startswith("maximum event size exceeded: ")
    assert not Event.objects.exists()
    return str(answer["detail"].partition(": ")[2])


def test_a_body_of_2_mb_is_stored_and_no_larger_one(cast: Cast):
    for path in SMALL_PATHS:
        assert refusal(path, sized(cast, 2 * MB + 1)) == f"send at most {2 * MB} bytes"
    assert Caller(None).post(path, sized(cast, 2 * MB)).status_code == 200
    assert stored(cast.web) == [("visit", "anna")]


def test_a_batch_may_have_more_than_2_mb_and_no_more_than_20(cast: Cast):
    assert refusal("/batch/", b" " * (20 * MB + 1)) == f"send at most {20 * MB} bytes"
    assert Caller(None).post("/batch/", sized(cast, 3 * MB)).status_code == 200
    assert stored(cast.web) == [("visit", "anna")]


@pytest.mark.parametrize(
    ("path", "size"), [("/e/", 2 * MB), ("/batch/", 20 * MB)], ids=["2 MB of an event", "20 MB of a batch"]
)
def test_a_gzip_bomb_is_refused_whatever_it_is_wrapped_in(cast: Cast, path: str, size: int):
    bomb = as_gzip(b" " * (size + 1))
    expected = f"more than {size} bytes, decompressed"
    for body, given in (
        (bomb, {"headers": {"Content-Encoding": "gzip"}}),
        (bomb, {"content_type": "text/plain"}),
        (as_base64(bomb), {}),
        (as_form(as_base64(bomb)), {"content_type": FORM}),
    ):
        assert refusal(path, body, **given) == expected


def test_a_decompressed_body_of_2_mb_is_stored(cast: Cast):
    response = Caller(None).post("/e/", as_gzip(sized(cast, 2 * MB)), content_type="text/plain")
    assert response.status_code == 200
    assert stored(cast.web) == [("visit", "anna")]


def test_a_batch_of_10001_events_is_refused(cast: Cast):
    detail = refusal("/batch/", as_json({"api_key": cast.web.api_token, "batch": [{}] * 10_001}))
    assert detail == "10001 events: send at most 10000 at a time"
    assert refusal("/e/", as_json([{}] * 10_001)) == detail


def test_more_than_500000_objects_and_lists_are_refused_unread(cast: Cast):
    assert refusal("/batch/", b'{"api_key": "x", "batch": [' + b"[]," * 500_000 + b"[]]}") == (
        "too many objects and lists"
    )


DEEP = {
    "300 lists": "[" * 300 + "]" * 300,
    "300 objects": '{"a":' * 300 + "1" + "}" * 300,
    "900 lists": "[" * 900 + "]" * 900,
    "100,000 lists": "[" * 100_000 + "]" * 100_000,
    "unclosed lists": "[" * 100_000,
    "unclosed objects": '{"a":' * 100_000,
}


def with_nested(cast: Cast, place: str, nested: str) -> Any:
    event = f'{{"event": "visit", "distinct_id": "anna", "{place}": {nested}}}'
    return Caller(None).post("/batch/", f'{{"api_key": "{cast.web.api_token}", "batch": [{event}]}}')


@pytest.mark.parametrize("place", ["properties", "$set", "$set_once"])
def test_what_is_nested_too_deeply_to_be_stored_is_refused(cast: Cast, place: str):
    for nested in DEEP.values():
        response = with_nested(cast, place, f'{{"a": {nested}}}')
        assert response.status_code == 400
        assert response.json()["detail"].startswith("failed to parse request: ")
        assert response.json()["detail"].endswith(("nested too deeply", "the body is no JSON"))
    assert not Event.objects.exists()


@pytest.mark.parametrize("place", ["distinct_id", "timestamp", "token", "offset", "uuid", "event", "anything"])
def test_what_is_nested_elsewhere_harms_nothing(cast: Cast, place: str):
    for nested in DEEP.values():
        is_json = len(nested) < 3000
        expected = 200 if is_json and place not in ("uuid", "event") else 400
        assert with_nested(cast, place, nested).status_code == expected


def test_json_in_json_is_read_once_only(cast: Cast):
    once = as_json(as_json(batch(cast.web, event("visit", "anna"))).decode())
    assert Caller(None).post("/batch/", once).status_code == 200
    twice = as_json(once.decode())
    assert Caller(None).post("/batch/", twice).json()["detail"] == (
        "failed to parse request: the body is neither an event nor a list of events"
    )


def test_what_is_just_allowed_is_stored(cast: Cast):
    nested: Any = 1
    for _ in range(200):
        nested = [nested]
    assert send(cast.web, event("visit", "anna", {"nested": nested})).status_code == 200
    assert Event.objects.get().properties["nested"] == nested
