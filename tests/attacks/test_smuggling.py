"""Bytes that two readers could divide differently: one request never gets two answers, a hidden one never runs."""

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import count, product
from typing import Final
from urllib.parse import urlsplit

import pytest

from tests.support.sampling import sampled
from tests.support.serving import LIGHT, Serve, serving, started_place

#: Of what is hidden: where one runs, the tests behind it still pass.
NUMBERS: Final = count()
#: So long is an answer waited for.
SILENCE: Final = 0.5


@pytest.fixture(scope="module")
def server() -> Iterator[Serve]:
    with started_place() as directory, serving(directory, *LIGHT) as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_hidden_ran(server: Serve) -> Iterator[None]:
    before = server.contents()
    yield
    assert not [content for content in server.contents() - before if content]
    assert server.complaints() == []


def exchange(server: Serve, sent: bytes) -> bytes:
    """Send bytes and return what comes back until the server hangs up or says no more."""
    where = urlsplit(server.url)
    received = b""
    with socket.create_connection((where.hostname, where.port), timeout=SILENCE) as connection, suppress(OSError):
        connection.sendall(sent)
        while piece := connection.recv(65536):
            received += piece
    return received


def final_statuses(received: bytes) -> list[int]:
    """Return the statuses of the answers, without 100."""
    found = [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)]
    return [status for status in found if status != 100]


def head(server: Serve, *headers: bytes, method: str = "POST", target: str = "", version: str = "1.1") -> bytes:
    lines = [
        f"{method} {target or server.annotations} HTTP/{version}".encode(),
        f"Host: {urlsplit(server.url).netloc}".encode(),
        f"Authorization: Bearer {server.printed('API key')}".encode(),
        b"Content-Type: application/json",
        *headers,
    ]
    return b"\r\n".join([*lines, b"", b""])


def hidden(server: Serve) -> bytes:
    """Return a request that writes, if anybody reads it as one."""
    body = b'{"scope": "project", "content": "hidden %d"}' % next(NUMBERS)
    return head(server, b"Content-Length: %d" % len(body)) + body


#: A header that one reader takes for chunks and another does not.
CHUNKED: Final = {
    "plain": b"Transfer-Encoding: chunked",
    "upper case": b"TRANSFER-ENCODING: CHUNKED",
    "no blank": b"Transfer-Encoding:chunked",
    "blanks behind it": b"Transfer-Encoding: chunked \t ",
    "a tab before it": b"Transfer-Encoding:\tchunked",
    "a vertical tab": b"Transfer-Encoding: \x0bchunked",
    "a form feed": b"Transfer-Encoding: chunked\x0c",
    "NUL behind it": b"Transfer-Encoding: chunked\0",
    "NUL in the name": b"Transfer-Encoding\0: chunked",
    "a blank before the colon": b"Transfer-Encoding : chunked",
    "a tab before the colon": b"Transfer-Encoding\t: chunked",
    "a blank before the name": b" Transfer-Encoding: chunked",
    "a fold": b"Transfer-Encoding:\r\n chunked",
    "a fold by a tab": b"Transfer-Encoding:\r\n\tchunked",
    "behind a fold": b"X-Fold: a\r\n b\r\nTransfer-Encoding: chunked",
    "in a fold": b"X-Fold: a\r\n Transfer-Encoding: chunked",
    "behind a line feed": b"X-Feed: a\nTransfer-Encoding: chunked",
    "behind a carriage return": b"X-Return: a\rTransfer-Encoding: chunked",
    "behind NUL": b"X-Nul: a\0\r\nTransfer-Encoding: chunked",
    "an underscore": b"Transfer_Encoding: chunked",
    "quotation marks": b'Transfer-Encoding: "chunked"',
    "a parameter": b"Transfer-Encoding: chunked;q=1",
    "a comma": b"Transfer-Encoding: ,chunked",
    "behind identity": b"Transfer-Encoding: identity, chunked",
    "before identity": b"Transfer-Encoding: chunked, identity",
    "before gzip": b"Transfer-Encoding: chunked, gzip",
    "twice in a list": b"Transfer-Encoding: chunked, chunked",
    "in two headers": b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "in two headers, first": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "a longer word": b"Transfer-Encoding: xchunked",
    "half a word": b"Transfer-Encoding: chunke",
    "nothing": b"Transfer-Encoding:",
    "no ASCII": b"Transfer-Encoding: chun\xe2\x84\xaaed",
    "as a connection header": b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
}
#: Another header to every standard: behind the length comes an ordinary second request, within a chunk or not.
OF_NO_MEANING: Final = ("an underscore",)
METHODS: Final = ("GET", "POST", "PATCH", "DELETE", "OPTIONS")
CASES: Final = sampled(
    [
        (name, method, within)
        for name, method, within in product(CHUNKED, METHODS, ("the length", "a chunk"))
        if within == "the length" or name not in OF_NO_MEANING
    ],
    18,
)


@pytest.mark.parametrize(("name", "method", "within"), CASES)
def test_a_length_beside_chunks(server: Serve, name: str, method: str, within: str):
    """The request is within the length for one reader and within a chunk for the other."""
    inner = hidden(server)
    if within == "the length":
        body = b"0\r\n\r\n" + inner
        length = len(body)
    else:
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner)
        length = len(b"%x\r\n" % len(inner))
    for headers in ((CHUNKED[name], b"Content-Length: %d" % length), (b"Content-Length: %d" % length, CHUNKED[name])):
        found = final_statuses(exchange(server, head(server, *headers, method=method) + body))
        assert len(found) <= 1, found


#: What stands before the number, behind it, or instead of the header; `%d` is a length that ends before what is hidden.
LENGTHS: Final = {
    "two": b"Content-Length: %d\r\nContent-Length: 9999",
    "two, the larger first": b"Content-Length: 9999\r\nContent-Length: %d",
    "the same twice": b"Content-Length: %d\r\nContent-Length: %d",
    "a list": b"Content-Length: %d, 9999",
    "a list of the same": b"Content-Length: %d, %d",
    "a plus": b"Content-Length: +%d",
    "noughts": b"Content-Length: 000%d",
    "a hexadecimal number": b"Content-Length: 0x%x",
    "a point": b"Content-Length: %d.0",
    "an underscore": b"Content-Length: %d_0",
    "a blank within": b"Content-Length: %d 0",
    "a tab behind it": b"Content-Length: %d\t",
    "a vertical tab": b"Content-Length: \x0b%d",
    "NUL behind it": b"Content-Length: %d\0",
    "a carriage return": b"Content-Length: %d\rX: y",
    "a fold": b"Content-Length:\r\n %d",
    "a blank before the colon": b"Content-Length : %d",
    "behind a line feed": b"X: y\nContent-Length: %d",
    "digits that are not ASCII": b"Content-Length: \xd9\xa3",
    "nothing": b"Content-Length:",
}
#: A length that has one meaning, so that an ordinary second request may follow the body. RFC 9112 lets a server
#: take the same length twice, and a line that ends with a line feed alone.
CLEAR_LENGTHS: Final = ("noughts", "a tab behind it", "the same twice", "behind a line feed")


@pytest.mark.parametrize(("name", "method"), sampled(product(LENGTHS, ("GET", "POST", "PATCH")), 8))
def test_a_length_that_can_be_read_otherwise(server: Serve, name: str, method: str):
    body = b'{"scope": "project"}'
    header = LENGTHS[name]
    given = header % ((len(body),) * (header.count(b"%d") + header.count(b"%x")))
    rest = b"" if name in CLEAR_LENGTHS else hidden(server)
    found = final_statuses(exchange(server, head(server, given, method=method) + body + rest))
    assert len(found) <= 1, found


#: How a chunk of the whole inner request, or of less, is announced; `%x` is the size.
SIZES: Final = {
    "an extension": b"%x;a=b\r\n",
    "an extension with a line feed": b"%x;a\nb\r\n",
    "an extension with a carriage return": b"%x;a\rb\r\n",
    "an extension of nothing": b"%x;\r\n",
    "a blank behind it": b"%x \r\n",
    "a blank before it": b" %x\r\n",
    "a tab": b"%x\t\r\n",
    "a plus": b"+%x\r\n",
    "a minus": b"-%x\r\n",
    "0x": b"0x%x\r\n",
    "noughts": b"0000000000000000%x\r\n",
    "an underscore": b"%x_0\r\n",
    "a line feed alone": b"%x\n",
    "a carriage return alone": b"%x\r",
    "NUL": b"%x\0\r\n",
    "letters behind it": b"%xg\r\n",
    "a comma": b"%x,0\r\n",
    "more than 64 bits": b"1000000000000000%x\r\n",
    "an empty line before it": b"\r\n%x\r\n",
    "no end of the line": b"%x",
}
ENDS: Final = {
    "ordinary": b"\r\n0\r\n\r\n",
    "line feeds": b"\n0\n\n",
    "none": b"0\r\n\r\n",
    "two more": b"\0\0\r\n0\r\n\r\n",
}


@pytest.mark.parametrize(("size", "end"), sampled(product(SIZES, ENDS), 10))
def test_a_size_of_a_chunk_that_can_be_read_otherwise(server: Serve, size: str, end: str):
    """What is hidden is within the chunk for one reader and behind the last chunk for another."""
    inner = hidden(server)
    within = b"0\r\n\r\n" + inner
    sent = head(server, b"Transfer-Encoding: chunked") + (SIZES[size] % len(within)) + within + ENDS[end]
    found = final_statuses(exchange(server, sent))
    assert len(found) <= 1, found


#: Headers that ask for another protocol or another reading of the body.
ANOTHER_READING: Final = [
    (b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
    (b"Upgrade: websocket", b"Connection: Upgrade"),
    (b"Expect: 100-continue",),
    (b"Expect: 200-ok",),
    (b"Connection: Content-Length",),
    (b"X-HTTP-Method-Override: GET",),
    (b"Content-Encoding: gzip",),
    (b"Trailer: Content-Length",),
]
WITHIN: Final = sampled(product(ANOTHER_READING, ("GET", "HEAD", "POST", "OPTIONS", "DELETE")), 4)


@pytest.mark.parametrize(("headers", "method"), WITHIN)
def test_a_whole_request_within_a_body_is_a_body(server: Serve, headers: tuple[bytes, ...], method: str):
    inner = hidden(server)
    sent = head(server, *headers, b"Content-Length: %d" % len(inner), method=method) + inner
    assert len(final_statuses(exchange(server, sent))) <= 1


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize(
    "target",
    ["http://evil.example{}", "https://evil.example:1{}", "http://evil.example@127.0.0.1{}", "//evil.example{}"],
)
def test_a_target_with_a_host_leads_nowhere_else(server: Serve, target: str, version: str):
    """The links of an answer name the host of the header, and nothing is sent to the other."""
    where = target.format(f"{server.annotations}?limit=1")
    received = exchange(server, head(server, b"Connection: close", method="GET", target=where, version=version))
    assert len(final_statuses(received)) <= 1
    assert b"evil.example" not in received


ESCAPES: Final = ("%0d%0a", "%0a", "%0d", "%E5%98%8A%E5%98%8D", "%c0%8d%c0%8a", "%250d%250a", "%00%0d%0a")


@pytest.mark.parametrize("escape", ESCAPES)
def test_an_escaped_line_feed_divides_no_answer(server: Serve, escape: str):
    added = f"{escape}Set-Cookie:%20a=b{escape}{escape}HTTP/1.1%20200%20OK"
    for target in (
        f"{server.annotations}?search={added}",
        f"{server.annotations}?limit=1&x={added}",
        f"/api/projects/{added}/annotations/",
        f"/admin/{added}",
        f"/admin/login/?next={added}",
        f"/{added}",
    ):
        received = exchange(server, head(server, b"Connection: close", method="GET", target=target))
        assert len(final_statuses(received)) == 1
        lines = received.partition(b"\r\n\r\n")[0].lower().splitlines()
        assert not [line for line in lines if line.startswith(b"set-cookie: a=b")]
