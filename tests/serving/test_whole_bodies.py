"""A body that ends too early is refused by 400 `parse_error`, and nothing of it is stored (D68)."""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from tests.support.received import answer_of
from tests.support.serving import LIGHT, Serve, serving, started_place

CSV: Final = b'--edge\r\nContent-Disposition: form-data; name="csv"; filename="a.csv"\r\n\r\ndistinct_id\r\nann\r\n'
MULTIPART: Final = b'--edge\r\nContent-Disposition: form-data; name="content"\r\n\r\nabc\r\n--edge--\r\n'
#: What is sent under each type: in every case the part that arrives could be taken for a body of its own.
BODIES: Final = {
    "JSON": ("application/json", b'{"content": "a", "name": "a"}'),
    "a form": ("application/x-www-form-urlencoded", b"content=abc&name=abc"),
    "a form called JSON": ("application/json", b"content=abc&name=abc"),
    "multipart": ("multipart/form-data; boundary=edge", MULTIPART),
    "a file": ("multipart/form-data; boundary=edge", CSV + b"--edge--\r\n"),
    "nothing": ("application/json", b""),
    "half of a word": ("application/json", b'{"content'),
}


def chunk(body: bytes) -> bytes:
    return f"{len(body):x}\r\n".encode() + body + b"\r\n" if body else b""


#: How a body ends too early: the header that announces it, and what comes of it.
ENDS: Final = {
    "fewer bytes than announced": lambda body: (f"Content-Length: {len(body) + 80}", body),
    "one byte fewer": lambda body: (f"Content-Length: {len(body) + 1}", body),
    "no last chunk": lambda body: ("Transfer-Encoding: chunked", chunk(body)),
    "a chunk without its end": lambda body: ("Transfer-Encoding: chunked", chunk(body) + b"ff\r\nabc"),
    "a chunk whose size is none": lambda body: ("Transfer-Encoding: chunked", chunk(body) + b"ZZ\r\nabc\r\n0\r\n\r\n"),
    "a chunk that is longer than its size": lambda body: ("Transfer-Encoding: chunked", b"1\r\nabc\r\n0\r\n\r\n"),
    "half of the last chunk": lambda body: ("Transfer-Encoding: chunked", chunk(body) + b"0\r\n"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Serve]:
    with started_place() as directory, serving(directory, *LIGHT) as server:
        yield server


def send(
    server: Serve, method: str, path: str, headers: list[str], body: bytes, key: str = "", *, is_ended: bool = False
) -> tuple[int, Any]:
    """Send a request, and with `is_ended` say that no more will come; return the status and the JSON of the answer."""
    where = urlsplit(server.url)
    head = [
        f"{method} {path} HTTP/1.1",
        f"Host: {where.netloc}",
        *([f"Authorization: Bearer {key}"] if key else []),
        *headers,
        "Connection: close",
    ]
    received = b""
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        if is_ended:
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                received += piece
    answer = answer_of(received)
    return answer.status, json.loads(answer.read() or b"null") if method != "HEAD" else None


def counts(server: Serve) -> list[Any]:
    """Return everything that the requests below could have changed."""
    cohorts, notes = server.path("cohorts"), server.annotations
    found = [server.call("GET", f"{path}?limit=100")[1] for path in (cohorts, notes)]
    project = server.call("GET", server.path())[1]
    return [*found, project["name"], project["api_token"]]


@pytest.fixture(scope="module")
def addresses(server: Serve) -> list[tuple[str, str]]:
    """One address of each kind of write."""
    project = server.printed("project")
    cohorts = f"/api/projects/{project}/cohorts/"
    note = server.call("POST", server.annotations, {"content": "before"})[1]["id"]
    cohort = server.call("POST", cohorts, {"name": "before", "is_static": True})[1]["id"]
    return [
        ("POST", server.annotations),
        ("PATCH", f"{server.annotations}{note}/"),
        ("POST", cohorts),
        ("PATCH", f"{cohorts}{cohort}/"),
        ("PATCH", f"/api/projects/{project}/"),
        ("PATCH", f"/api/projects/{project}/reset_token/"),
        ("POST", f"/api/projects/{project}/generate_conversations_public_token/"),
        ("DELETE", f"/api/organizations/{server.printed('organization')}/roles/01a20e5b-7a93-7462-a49f-99b7316c99a6/"),
    ]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("body", BODIES)
def test_what_ends_too_early_is_nothing(server: Serve, addresses: list[tuple[str, str]], body: str, end: str):
    content_type, content = BODIES[body]
    announced, sent = ENDS[end](content)
    before = counts(server)
    for method, path in addresses:
        headers = [f"Content-Type: {content_type}", announced]
        status, answer = send(server, method, path, headers, sent, server.printed("API key"), is_ended=True)
        assert (status, answer["code"]) == (400, "parse_error"), (method, path, answer)
        status, answer = send(server, method, path, headers, sent, is_ended=True)
        assert (status, answer["code"]) == (401, "not_authenticated"), (method, path, answer)
    assert counts(server) == before
    assert server.complaints() == []


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("body", ["JSON", "a form", "a form called JSON", "multipart"])
def test_whole_ones_are_stored(server: Serve, body: str, is_chunked: bool):
    content_type, content = BODIES[body]
    announced = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(content)}"
    sent = b"".join(chunk(content[i : i + 7]) for i in range(0, len(content), 7)) + b"0\r\n\r\n"
    headers = [f"Content-Type: {content_type}", announced]
    status, answer = send(
        server, "POST", server.annotations, headers, sent if is_chunked else content, server.printed("API key")
    )
    assert (status, answer["content"]) == (201, "a" if body == "JSON" else "abc")


def test_a_key_in_an_unfinished_body_is_no_key(server: Serve):
    body = json.dumps({"personal_api_key": server.printed("API key"), "content": "x"}).encode()
    headers = ["Content-Type: application/json", f"Content-Length: {len(body) + 1}"]
    assert send(server, "POST", server.annotations, headers, body, is_ended=True)[0] == 401


def test_a_body_of_get_is_not_waited_for(server: Serve):
    for method in ("GET", "HEAD", "OPTIONS"):
        headers = ["Content-Type: application/json", "Content-Length: 5"]
        assert send(server, method, server.annotations, headers, b"", server.printed("API key"))[0] == 200


def test_trailers_are_refused(server: Serve):
    """The web server does not show the difference between a trailer and a chunk that is broken."""
    headers = ["Content-Type: application/json", "Transfer-Encoding: chunked"]
    sent = b"2\r\n{}\r\n0\r\nX-End: 1\r\n\r\n"
    status, answer = send(server, "POST", server.annotations, headers, sent, server.printed("API key"))
    assert (status, answer["code"]) == (400, "parse_error")


@pytest.mark.parametrize("key", ["", "phx_unknown"])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_large_body_without_a_key_is_401(server: Serve, key: str, is_chunked: bool):
    size = 30 * 1024 * 1024
    body = b" " * size
    sent = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    announced = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {size}"
    headers = ["Content-Type: application/json", announced]
    sent = sent * 30 + b"0\r\n\r\n" if is_chunked else body
    status, answer = send(server, "POST", server.annotations, headers, sent, key)
    assert (status, answer["type"]) == (401, "authentication_error")


def events(server: Serve, size: int) -> bytes:
    """Return a batch of events in so many bytes, and a few more."""
    event = {"event": "visit", "distinct_id": "anna", "properties": {"text": "x" * 1024**2}}
    batch = [event] * (size // 1024**2)
    return json.dumps({"api_key": server.call("GET", server.path())[1]["api_token"], "batch": batch}).encode()


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_batch_of_events_may_be_larger_than_other_bodies(server: Serve, is_chunked: bool):
    for size, expected in ((11, 200), (20, 413)):
        body = events(server, size * 1024**2)
        announced = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(body)}"
        sent = chunk(body) + b"0\r\n\r\n" if is_chunked else body
        status, answer = send(server, "POST", "/batch/", ["Content-Type: application/json", announced], sent)
        assert status == expected, answer
    assert server.complaints() == []


@pytest.mark.parametrize("end", ENDS)
def test_a_batch_that_ends_too_early_is_refused(server: Serve, end: str):
    announced, sent = ENDS[end](events(server, 0).replace(b"[]", b'[{"event": "early", "distinct_id": "anna"}]'))
    for path in ("/batch/", "/e/", "/capture"):
        status, answer = send(server, "POST", path, ["Content-Type: text/plain", announced], sent, is_ended=True)
        assert (status, answer["code"]) == (400, "invalid_input"), answer
        assert answer["detail"] == "failed to decode request: the body ended too early"
