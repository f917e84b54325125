"""Bad requests of every kind to every address of ingestion: each is refused by the error JSON and leaves no trace."""

import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.db import transaction

from tests.conftest import Caller, make_cast
from tests.support.api.bad_requests import FORM, JSON, MULTIPART, TEXTS
from tests.support.capture.sending import as_base64, as_gzip, as_json, event
from tests.support.database_state import state
from tests.support.routes import METHODS, ingestion_routes
from tests.support.sampling import sampled

pytestmark = pytest.mark.django_db
TOKEN = "phc_web"
#: What accepts everything unread, by intent.
UNREAD = "/s/"
OK = event("visit", "anna")
TOKENS: tuple[Any, ...] = (None, "", 1, [], {}, "phc_", "\ud800", "a\0", "é", "x" * 99)
#: Values that an event cannot have.
FIELDS: dict[str, tuple[Any, ...]] = {
    "event": (None, "", 1, [], {}, True),
    "distinct_id": (None, "", " ", "\ud800"),
    "uuid": (1, "x", [], {}, True, "0" * 31, "0" * 33),
    "properties": (1, "x", [], True, {"a": "\ud800"}, {"\ud800": 1}, {"a": 2**64}, {"a": float("nan")}),
    "$set": ({"a": float("inf")}, {"a": "\ud800"}, {"a": -(2**63) - 1}),
    "$set_once": ({"a": 2**64}, {"\udfff": 1}),
}
#: No requests, whatever the token.
NONSENSE: list[bytes] = [
    *(b"", b" ", b"{", b"}", b"[", b"[]", b"{}", b"null", b"1", b'"a"', b"\x00", b"\xff\xfe", b"\xef\xbb\xbf{}"),
    *(b"data=", b"data=%", b"data=%ff", b"data=%00", b"data=e30=", b"a=1&b=2", b"--edge\r\n", b"\x1f\x8b", b"e30="),
    *(as_gzip(b""), as_gzip(b"{"), as_gzip(as_gzip(b"{}")), as_base64(b"\xff" * 9), as_json([[OK]]), b"[" * 5000),
    *(as_json({"api_key": each, "batch": [OK]}) for each in TOKENS),
]


def bodies(template: str) -> Iterator[bytes]:
    yield from NONSENSE
    if template in ("/flags/", "/decide/"):
        return
    batches: tuple[Any, ...] = ([], {}, None, "x", 1, [None], [[]], ["x"])
    yield from (as_json({"api_key": TOKEN, "batch": each}) for each in batches)
    for name, values in FIELDS.items():
        for value in values:
            # That path alone has a name for events without one.
            if (template, name, value) != ("/engage/", "event", None):
                yield as_json({"api_key": TOKEN, "batch": [OK, {**OK, name: value}]})


TYPES = [JSON, "text/plain", FORM, MULTIPART, "", "application/octet-stream", "text/plain;charset=latin-1", "nonsense"]
HINTS = ["", "gzip", "gzip-js", "lz64", "base64", "nonsense", "%00"]


class BadRequest(NamedTuple):
    method: str
    path: str
    body: bytes
    content_type: str
    headers: dict[str, str]


def requests(template: str) -> Iterator[BadRequest]:
    path = template.format(token="phc_other")
    for number, body in enumerate(bodies(template)):
        query = f"?compression={HINTS[number % len(HINTS)]}" if number % 3 == 0 else ""
        encoding = {"Content-Encoding": HINTS[number % 5] or "br"} if number % 5 == 1 else {}
        yield BadRequest("POST", path + query, body, TYPES[number % len(TYPES)], encoding)
    for number, text in enumerate(TEXTS.values()):
        yield BadRequest("GET", f"{path}?data={text}&compression={HINTS[number % len(HINTS)]}", b"", JSON, {})
        for name in ("data", "token", "api_key", "compression", "_", "beacon", "ip", "ver", text):
            yield BadRequest(("GET", "POST")[number % 2], f"{path}?{name}={text}", b"{", JSON, {})
    for method in METHODS:
        if method not in ("GET", "POST", "OPTIONS"):
            yield BadRequest(method, path, as_json({"api_key": TOKEN, "batch": [OK]}), JSON, {})


@pytest.fixture(scope="module")
def before(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, str | None]]:
    with django_db_blocker.unblock(), transaction.atomic():
        cast = make_cast()
        cast.web.api_token = TOKEN
        cast.web.save()
        yield state()
        transaction.set_rollback(True)


def problems(request: BadRequest, before: dict[str, str | None]) -> Iterator[str]:
    caller = Caller(None)
    caller.client.raise_request_exception = False
    given = {"content_type": request.content_type, "headers": request.headers}
    response = caller.request(request.method, request.path, request.body, **given)
    if not 400 <= response.status_code < 500:
        yield f"is {response.status_code}"
    elif request.method != "HEAD":
        if response.headers.get("Content-Type") != "application/json":
            yield f"is {response.headers.get('Content-Type')}"
        elif "error_uri" not in response.json() and response.json().keys() != {"type", "code", "detail", "attr"}:
            yield f"is {response.content!r}"
    if state() != before:
        yield "left a trace"


@pytest.mark.parametrize("template", [each for each in ingestion_routes() if each != UNREAD])
def test_bad_requests_are_refused_and_change_nothing(
    before: dict[str, str | None], template: str, caplog: pytest.LogCaptureFixture
):
    cases = sampled(requests(template), 6)
    assert len(cases) >= 40
    assert [f"{case}: {problem}" for case in cases for problem in problems(case, before)] == []
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == []
