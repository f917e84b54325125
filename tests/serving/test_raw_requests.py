"""Bytes on a socket that no client library sends: the server refuses them or hangs up, and goes on."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from typing import Final
from urllib.parse import urlsplit

import psutil
import pytest

from tests.support.received import answer_of
from tests.support.serving import LIGHT, Serve, serving, started_place

#: A client that gets no answer waits less than this.
SILENCE: Final = 0.7
MB: Final = 2**20


@pytest.fixture(scope="module")
def server() -> Iterator[Serve]:
    with started_place() as directory, serving(directory, *LIGHT) as server:
        yield server


@pytest.fixture(autouse=True)
def it_lives(server: Serve) -> Iterator[None]:
    """After each test, an ordinary client is answered at once, and the log has no complaint."""
    yield
    for path in (server.annotations, "/_livez"):
        began = time.monotonic()
        assert server.call("GET", path)[0] == 200
        assert time.monotonic() - began < 2
    assert server.complaints() == []


def exchange(server: Serve, *parts: bytes, pause: float = 0.0, is_ended: bool = False) -> bytes:
    """Send bytes, part by part, and return what comes back until the server hangs up or says no more.

    `is_ended` says after the last part that no more will come.
    """
    where = urlsplit(server.url)
    received = b""
    with socket.create_connection((where.hostname, where.port), timeout=SILENCE) as connection:
        # A server that has refused does not read on, and may have hung up.
        with suppress(OSError):
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
            if is_ended:
                connection.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while piece := connection.recv(65536):
                received += piece
    return received


def statuses(received: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)]


def check(received: bytes) -> list[int]:
    """Return the statuses in an answer, of which none may be the server's fault; a lone refusal is the error JSON."""
    found = statuses(received)
    assert not received or found, received[:500]
    assert all(status < 500 for status in found), received[:500]
    if len(found) == 1 and found[0] >= 400:
        answer = answer_of(received)
        body = answer.read()
        # What the web server itself refuses may have other words (D46).
        if answer.headers.get_content_type() == "application/json" and body:
            assert set(json.loads(body)) == {"type", "code", "detail", "attr"}
    return found


def request(
    server: Serve, *headers: str, line: str = "", body: bytes = b"", method: str = "GET", is_closed: bool = True
) -> bytes:
    """Return an ordinary request with more headers."""
    host = urlsplit(server.url).netloc
    head = [
        line or f"{method} {server.annotations} HTTP/1.1",
        f"Host: {host}",
        f"Authorization: Bearer {server.printed('API key')}",
        *(["Connection: close"] if is_closed else []),
        *headers,
    ]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


BROKEN: Final = {
    "garbage": b"\x00\xff\x80garbage\r\n\r\n",
    "TLS": bytes.fromhex("16030100f8010000f40303") + b"\0" * 200,
    "nothing but lines": b"\r\n" * 1000,
    "HTTP/0.9": b"GET /\r\n",
    "HTTP/0.9 in upper case": b"GET /_livez\n\n",
    "another version": b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "the beginning of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no version": b"GET / \r\nHost: localhost\r\n\r\n",
    "no Host": b"GET /api/projects/ HTTP/1.1\r\nConnection: close\r\n\r\n",
    "two Hosts": b"GET /api/projects/ HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    "a Host that is not allowed": b"GET /api/projects/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    "a Host that is none": b"GET /api/projects/ HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n",
    "an absolute target": b"GET http://evil.example/api/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "a target without a slash": b"GET api HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "OPTIONS *": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "TRACE": b"TRACE /api/projects/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nConnection: close\r\n\r\n",
    "no method": b" / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a long method": b"X" * 10_000 + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a NUL in the path": b"GET /api/\0/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "bytes in the path": b"GET /api/\xff\xfe/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n",
    "a blank before the colon": b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "an upgrade": b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_request(server: Serve, name: str):
    check(exchange(server, BROKEN[name]))


@pytest.mark.parametrize("method", ["NONSENSE", "nonsense", "PROPFIND", "TRACE"])
def test_an_unknown_method_is_refused(server: Serve, method: str):
    assert check(exchange(server, request(server, method=method))) in ([405], [400])


HEADERS: Final = {
    "two lengths": ["Content-Length: 2", "Content-Length: 3"],
    "a length in a list": ["Content-Length: 2, 3"],
    "a negative length": ["Content-Length: -1"],
    "a length that is none": ["Content-Length: nonsense"],
    "a length with a sign": ["Content-Length: +2"],
    "a length beyond 64 bits": ["Content-Length: 99999999999999999999"],
    "a length and chunks": ["Content-Length: 2", "Transfer-Encoding: chunked"],
    "chunks twice": ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    "chunks that are not last": ["Transfer-Encoding: chunked, gzip"],
    "chunks by another name": ["Transfer-Encoding: xchunked"],
    "chunks after a tab": ["Transfer-Encoding:\tchunked"],
    "compressed": ["Content-Encoding: gzip", "Content-Length: 2"],
    "a long header": [f"X-Long: {'x' * 100_000}"],
    "1,000 headers": [f"X-{number}: x" for number in range(1000)],
    "a NUL": ["X-Nul: a\0b"],
    "a long content type": [f"Content-Type: application/json; a={'x' * 20_000}"],
    "a fold": ["X-Fold: a\r\n b"],
    "a bare line feed": ["X-Feed: a\nX-Other: b"],
    "a bare carriage return": ["X-Return: a\rb"],
    "a name that is none": ["X Y: z"],
    "Latin-1": ["X-Text: \xe9\xff"],
    "an expectation that is none": ["Expect: nonsense", "Content-Length: 2"],
    "two keys": ["Authorization: Bearer nonsense"],
    "underscores": ["Content_Length: 5", "HTTP_AUTHORIZATION: x"],
    "a trailer": ["Trailer: X-End", "Transfer-Encoding: chunked"],
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", HEADERS)
def test_broken_headers_are_answered_or_refused(server: Serve, name: str, method: str):
    sent = request(server, "Content-Type: application/json", *HEADERS[name], method=method, body=b"{}")
    check(exchange(server, sent, is_ended=True))


CONTENT_TYPES: Final = {
    "a charset that is none of text": "application/json; charset=hex",
    "a charset that refuses all": "application/json; charset=undefined",
    "a charset that is NUL": "application/json; charset*=utf-8''%00",
    "a parameter in no charset": "application/json; a*=klingon''x",
    "a parameter that cannot be decoded": "application/json; a*=idna''%ff",
    "UTF-8": "application/json; charset=utf-8",
}


@pytest.mark.parametrize("name", CONTENT_TYPES)
def test_any_content_type_is_answered_or_refused(server: Serve, name: str):
    """Also where there is no body: what the query says is read all the same."""
    for query in ("", "?limit=5", "?search=%ff", "?" + "a=1&" * 1500):
        line = f"GET {server.annotations}{query} HTTP/1.1"
        found = check(exchange(server, request(server, f"Content-Type: {CONTENT_TYPES[name]}", line=line)))
        assert found[0] in (200, 400, 406, 415), found


def test_a_long_address_is_answered_or_hung_up_on(server: Serve):
    for size in (60_000, 100_000, 1_000_000):
        check(exchange(server, request(server, line=f"GET {server.annotations}?a={'x' * size} HTTP/1.1")))


CHUNKS: Final = {
    "no size": b"\r\n{}\r\n0\r\n\r\n",
    "a size that is none": b"zz\r\n{}\r\n0\r\n\r\n",
    "a negative size": b"-2\r\n{}\r\n0\r\n\r\n",
    "a size that is too large": b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "a size with 0x": b"0x2\r\n{}\r\n0\r\n\r\n",
    "a size that is too small": b"1\r\n{}\r\n0\r\n\r\n",
    "a size that is more than follows": b"ff\r\n{}\r\n0\r\n\r\n",
    "a long extension": b"2;" + b"x" * 50_000 + b"\r\n{}\r\n0\r\n\r\n",
    "no end": b"2\r\n{}\r\n",
    "1-byte chunks": b"".join(b"1\r\n \r\n" for _ in range(2000)) + b"2\r\n{}\r\n0\r\n\r\n",
    "a trailer": b"2\r\n{}\r\n0\r\nContent-Length: 99\r\n\r\n",
}


@pytest.mark.parametrize("name", CHUNKS)
def test_broken_chunks_are_refused_and_store_nothing(server: Serve, name: str):
    sent = request(server, "Content-Type: application/json", "Transfer-Encoding: chunked", method="POST")
    before = server.contents()
    found = check(exchange(server, sent, CHUNKS[name], is_ended=True))
    assert found[:1] in ([], [201], [400])
    assert server.contents() - before <= {None}


def test_a_second_request_cannot_be_smuggled_in(server: Serve):
    """With a length and chunks, no reading of the bytes may see the request within the body."""
    inner = request(server, "Content-Length: 0", method="POST", is_closed=False)
    body = b"0\r\n\r\n" + inner
    sent = request(
        server,
        f"Content-Length: {len(body)}",
        "Transfer-Encoding: chunked",
        method="POST",
        body=body,
        is_closed=False,
    )
    before = server.call("GET", f"{server.annotations}?limit=1")[1]["count"]
    found = check(exchange(server, sent))
    assert len(found) <= 1, found
    after = server.call("GET", f"{server.annotations}?limit=1")[1]["count"]
    assert after - before <= 1


def test_requests_in_a_row(server: Serve):
    one = request(server, is_closed=False, line="GET /_readyz HTTP/1.1")
    assert check(exchange(server, one * 20 + request(server))) == [200] * 21
    assert check(exchange(server, one + b"garbage\r\n\r\n" + one))[:1] == [200]


def test_a_body_that_is_waited_for(server: Serve):
    head = request(server, "Content-Type: application/json", "Content-Length: 2", "Expect: 100-continue", method="POST")
    assert check(exchange(server, head, b"{}", pause=0.2)) in ([100, 201], [201])


@pytest.mark.parametrize(
    "parts",
    [
        [b"GET /api/proj"],
        [b"GET / HTTP/1.1\r\nHost: loc"],
        [b"G", b"E", b"T", b" "],
    ],
)
def test_half_a_line_is_refused_or_hung_up_on(server: Serve, parts: list[bytes]):
    assert statuses(exchange(server, *parts, pause=0.1)) in ([], [400], [408])


@pytest.mark.parametrize("is_ended", [False, True])
@pytest.mark.parametrize("length", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_a_body_that_never_ends(server: Serve, length: str, is_ended: bool):
    """Whether the client then hangs up or says that no more will come: nothing is written."""
    before = server.call("GET", f"{server.annotations}?limit=1")[1]["count"]
    head = request(server, "Content-Type: application/json", length, method="POST")
    start = b"100\r\n" if "chunked" in length else b""
    check(exchange(server, head, start + b'{"content": "', b"x", is_ended=is_ended))
    assert server.call("GET", f"{server.annotations}?limit=1")[1]["count"] == before


class Memory:
    """The most that the web processes hold while something happens, beyond what they held before."""

    def __init__(self, server: Serve) -> None:
        self._processes = server.web_processes()
        self._is_over = threading.Event()
        self._before = self.most = self._now()

    def _now(self) -> int:
        total = 0
        for process in self._processes:
            with suppress(psutil.Error):
                total += process.memory_info().rss
        return total

    def _watch(self) -> None:
        while not self._is_over.wait(0.02):
            self.most = max(self.most, self._now())

    def __enter__(self) -> "Memory":
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._watcher.join()

    @property
    def growth(self) -> int:
        return max(self.most, self._now()) - self._before


def post(server: Serve, body: bytes) -> tuple[int, dict]:
    """Send a body as a client does that hears no refusal before it has sent it all."""
    headers = {"Authorization": f"Bearer {server.printed('API key')}", "Content-Type": "application/json"}
    with closing(HTTPConnection(urlsplit(server.url).netloc, timeout=15)) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", server.annotations, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_20_mb_are_refused_and_not_kept(server: Serve):
    body = b'{"content": "' + b"x" * (20 * MB) + b'"}'
    with Memory(server) as memory:
        for _ in range(3):
            status, answer = post(server, body)
            assert (status, answer["code"]) == (413, "request_too_large")
    assert memory.growth < 200 * MB


def test_20_mb_in_chunks_are_refused_and_not_kept(server: Serve):
    head = request(server, "Content-Type: application/json", "Transfer-Encoding: chunked", method="POST")
    chunk = b"100000\r\n" + b" " * MB + b"\r\n"
    with Memory(server) as memory:
        assert check(exchange(server, head, *[chunk] * 20, b"0\r\n\r\n")) in ([413], [])
    assert memory.growth < 200 * MB


def test_deep_json_is_refused(server: Serve):
    status, answer = post(server, b"[" * 100_000 + b"]" * 100_000)
    assert (status, answer["code"]) == (400, "parse_error")
