"""Who may use the lab: every operation through every door, also those that are added later."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import pytest
from multidict import CIMultiDict

from core6.lab import doors
from core6.lab.endpoints import Endpoints
from core6.lab.refusals import Refused
from core6.lab.state import State
from tests.support.lab import JSON, Answer, Lab, lab

MB: Final = 2**20
TOKEN: Final = "t" * 32
BEARER: Final = {"Authorization": f"Bearer {TOKEN}"}
LOCAL: Final = {"Host": "127.0.0.1:8000"}
PROXIED: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via")


async def in_thread(work: Any) -> Any:
    return work()


def forget() -> None:
    """Know no keys."""


OPERATIONS: Final = sorted(Endpoints(State(), in_thread, forget).operations)
WITH_OBJECT: Final = [each for each in OPERATIONS if each != ("POST", "provision")]


class Door(NamedTuple):
    """What a request has that shuts the lab, and the answer to it."""

    status: int
    code: str
    headers: Mapping[str, str] = {}
    body: bytes = b""


NOT_ALLOWED: Final = (403, "not_allowed")
DOORS: Final[dict[str, Door]] = {
    "a page of another site": Door(*NOT_ALLOWED, {"Origin": "https://page.example"}),
    "a page of the server itself": Door(*NOT_ALLOWED, {"Origin": "http://127.0.0.1:8000"}),
    "a page without a site": Door(*NOT_ALLOWED, {"Origin": "null"}),
    "an empty Origin": Door(*NOT_ALLOWED, {"Origin": ""}),
    **{
        f"a browser's request from {site}": Door(*NOT_ALLOWED, {"Sec-Fetch-Site": site})
        for site in ("cross-site", "same-site", "same-origin", "nonsense")
    },
    **{
        f"the Host {host}": Door(400, "bad_request", {"Host": host})
        for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::2]", "a b", "[", "127.0.0.1@x")
    },
    **{f"a proxy that sends {name}": Door(*NOT_ALLOWED, {name: "10.0.0.1"}) for name in PROXIED},
    **{
        f"the content type {text}": Door(415, "unsupported_media_type", {"Content-Type": text}, b"{}")
        for text in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "json")
    },
    "a content type without a body": Door(415, "unsupported_media_type", {"Content-Type": "text/plain"}),
    "a charset in the type's place": Door(415, "unsupported_media_type", {"Content-Type": ";application/json"}, b"{}"),
}
BODIES: Final[dict[str, Door]] = {
    **{
        f"the body {text[:20]!r}": Door(400, "parse_error", JSON, text)
        for text in (b"[]", b"null", b'"x"', b"1", b"[{}]", b"{1: 2}", b"\xff", b'{"a": "\xe9"}', b"{", b"a: b: c")
    },
    "a deep list": Door(400, "parse_error", JSON, b"[" * 100_000),
    "a deep object": Door(400, "parse_error", JSON, b'{"a":' * 100_000),
    "a deep YAML": Door(400, "parse_error", {"Content-Type": "text/yaml"}, b"- " * 20_000),
    "aliases that grow": Door(
        400,
        "parse_error",
        {"Content-Type": "text/yaml"},
        b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + b"".join(b"a%d: &a%d [%s]\n" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 10)) for i in range(1, 9)),
    ),
    "a YAML object of Python": Door(400, "parse_error", {"Content-Type": "text/yaml"}, b"!!python/object:os.system {}"),
    "an unknown key": Door(400, "invalid_input", JSON, b'{"nonsense": 1}'),
    "a large body": Door(413, "request_too_large", JSON, b" " * (MB + 1)),
}


def refused(answer: Answer, door: Door) -> None:
    """Check that an answer is the error of a door."""
    assert answer.status == door.status, answer.content[:300]
    error = answer.json
    assert set(error) == {"type", "code", "detail", "attr"}
    assert error["code"] == door.code, error
    assert error["detail"].endswith((".", "?"))


def known(running: Lab) -> list[Any]:
    """Return what the operations of the lab would change."""
    return [
        running.ask("GET", "faults"),
        running.ask("GET", "clock")["shift_seconds"],
        running.ask("GET", "strict"),
        len(running.journal()),
        running.send("GET", "/api/projects/?limit=1").json["count"],
    ]


@pytest.fixture(scope="module")
def guarded(running_lab: Lab) -> Any:
    """The lab with something to lose, which is there at the end."""
    running_lab.begin_anew()
    running_lab.order(path="/kept", cut=True)
    running_lab.ask("PUT", "clock", {"shift": "-3d"})
    running_lab.ask("PUT", "strict", {"enabled": True})
    running_lab.note()
    before = known(running_lab)
    yield running_lab
    before[3] += 1  # known() itself
    assert known(running_lab) == before


@pytest.mark.parametrize("name", DOORS)
def test_no_operation_answers_through_a_door(guarded: Lab, name: str):
    door = DOORS[name]
    for method, operation in OPERATIONS:
        refused(guarded.send(method, f"/_lab/{operation}", door.body, door.headers, key=None), door)


@pytest.mark.parametrize("name", BODIES)
def test_no_operation_takes_a_body_that_is_no_known_object(guarded: Lab, name: str):
    body = BODIES[name]
    for method, operation in WITH_OBJECT:
        refused(guarded.send(method, f"/_lab/{operation}", body.body, body.headers, key=None), body)


@pytest.mark.parametrize(
    "text",
    [
        *(each.body for each in BODIES.values() if each.status == 400 and each.body not in (b"null", b"[]")),
        b'{"users": [{"email": "nobody"}]}',
        b'{"users": [{"email": "a@example.com", "first_name": "\\u0000"}]}',
        b'{"organizations": [{"name": "A", "projects": [{"name": "B", "persons": "/etc/passwd"}]}]}',
        b'{"organizations": [{"name": "A", "projects": [{"name": "B", "events": "events.ndjson"}]}]}',
        b"organizations: [{name: A, created: 2026-02-30}]",
    ],
    ids=lambda text: repr(text[:60]),
)
def test_a_world_that_is_none_or_names_a_file_is_refused(guarded: Lab, text: bytes):
    answer = guarded.send("POST", "/_lab/provision", text, {"Content-Type": "application/yaml"}, key=None)
    assert answer.status == 400, answer.content[:300]
    assert answer.json["type"] == "validation_error"
    assert "root:" not in answer.json["detail"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
def test_another_method_is_405_and_names_the_right_ones(guarded: Lab, method: str):
    for name in {name for each, name in OPERATIONS if (method, name) not in OPERATIONS}:
        answer = guarded.send(method, f"/_lab/{name}", key=None)
        assert answer.status == 405
        assert {(each, name) for each in answer.headers["Allow"].split(", ")} <= set(OPERATIONS)


@pytest.mark.parametrize(
    ("path", "similar"),
    [("/_lab/fault", "faults"), ("/_lab/requets/", "requests"), ("/_lab", "reset"), ("/_lab/reset/x", "reset")],
)
def test_an_unknown_operation_is_404_and_names_the_nearest(guarded: Lab, path: str, similar: str):
    answer = guarded.send("POST", path, key=None)
    assert answer.status == 404
    assert similar in answer.json["detail"]


def test_a_parameter_that_an_operation_would_ignore_is_refused(guarded: Lab):
    for method, name in OPERATIONS:
        if (method, name) != ("GET", "requests"):
            answer = guarded.send(method, f"/_lab/{name}?path=/x", key=None)
            assert (answer.status, answer.json["attr"]) == (400, "path"), (method, name)


def passes(headers: Mapping[str, str], *, has_body: bool = False) -> str:
    try:
        doors.check(CIMultiDict({**LOCAL, **headers}), has_body=has_body)
    except Refused as refusal:
        return refusal.code
    return "passes"


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "none"}, {"Host": "localhost"}, {"Host": "[::1]:80"}, {"Content-Type": "text/yaml"}],
    ids=str,
)
def test_a_program_on_this_machine_passes(headers: dict[str, str]):
    assert passes(headers) == "passes"
    assert passes({"Content-Type": "APPLICATION/JSON; charset=utf-8", **headers}, has_body=True) == "passes"


@pytest.mark.parametrize(
    "given",
    [
        {},
        *(
            {"Authorization": text}
            for text in ("", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", "\udcff")
        ),
    ],
    ids=str,
)
def test_a_lab_with_a_token_needs_that_token(settings: Any, given: dict[str, str]):
    settings.LAB_TOKEN = TOKEN
    assert passes(given) == "not_authenticated"


def test_a_lab_with_a_token_answers_through_a_proxy_and_never_a_page(settings: Any):
    settings.LAB_TOKEN = TOKEN
    assert passes(BEARER) == "passes"
    assert passes({**BEARER, **dict.fromkeys(PROXIED, "10.0.0.1")}) == "passes"
    for door in DOORS.values():
        if not set(door.headers) & set(PROXIED):
            assert passes({**BEARER, **door.headers}, has_body=bool(door.body)) == door.code


@pytest.mark.whole
def test_a_lab_with_a_token_that_others_can_reach_refuses_each_operation_without_it():
    with lab("--host", "0.0.0.0", LAB_TOKEN=TOKEN) as guarded:
        for method, name in OPERATIONS:
            for given in ({}, {"Authorization": f"Bearer {'x' * 32}"}, {"X-Forwarded-For": "10.0.0.1"}):
                answer = guarded.send(method, f"/_lab/{name}", None, given, key=None)
                refused(answer, Door(401, "not_authenticated"))
                assert answer.headers["WWW-Authenticate"] == "Bearer"
        answer = guarded.send("GET", "/_lab/clock", None, {**BEARER, "Via": "1.1 a"}, key=None)
        assert answer.status == 200
        assert json.loads((guarded.server.notes / "ready").read_text())["url"].startswith("http://127.0.0.1")
        assert urlsplit(guarded.server.url).port
