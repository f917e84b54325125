"""What is no matter of the lab passes through it unchanged: a client does not notice that it is there."""

import gzip
import json
import re
import socket
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import at_once
from tests.support.lab import JSON, KEY, Answer, Lab, front
from tests.support.received import answer_of

HOST = "127.0.0.1"
#: Of one response alone, or of one connection.
VARYING = {"date", "x-request-id", "connection"}
ROOT = "/api/projects/"
ROLES = "/api/organizations/@current/roles/"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MB = 2**20


def same(answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return what has to be the same of two responses."""
    headers = [(name.lower(), value) for name, value in answer.headers.items() if name.lower() not in VARYING]
    return answer.status, sorted(headers), answer.content


REQUESTS: list[tuple[str, str, dict[str, str], bytes | None]] = [
    *((method, ROOT, {}, None) for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE")),
    ("GET", "/api/projects/@current/annotations/?limit=1&offset=0", {}, None),
    ("GET", "/api/projects/%40current/annotations", {}, None),
    ("GET", f"{ROOT}?search=%zz&a=%ff&b=c?d&&e", {}, None),
    ("GET", f"{ROOT}?{'x' * 20_000}", {}, None),
    ("GET", ROOT, {"X-Long": "x" * 100_000}, None),
    ("GET", ROOT, {"Accept-Encoding": "gzip"}, None),
    ("GET", ROOT, {"Accept": "text/html"}, None),
    ("GET", ROOT, {"If-None-Match": "*"}, None),
    ("GET", ROOT, {"Authorization": "Bearer phx_unknown"}, None),
    ("GET", ROOT, {"Authorization": ""}, None),
    ("GET", ROOT, {"Authorization": "Basic eDp5"}, None),
    ("GET", ROOT, {"Authorization": "Bearer \xff"}, None),
    ("GET", f"{ROOT}?personal_api_key=phx_unknown", {"Authorization": ""}, None),
    ("GET", ROOT, {"Host": "evil.example"}, None),
    ("GET", ROOT, {"Host": "localhost:1"}, None),
    ("GET", ROOT, {"Origin": "https://page.example"}, None),
    ("OPTIONS", ROOT, {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}, None),
    ("GET", ROOT, {"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Host": "a.example", "Via": "1.1 a"}, None),
    ("GET", ROOT, {"X-Request-Id": "chosen"}, None),
    ("GET", ROOT, {"Expect": "100-continue"}, None),
    ("GET", ROOT, {"Cookie": "a=b", "Range": "bytes=0-1"}, b"{}"),
    ("GET", "/api/projects/%00/", {}, None),
    ("GET", "/api/../api/projects/", {}, None),
    ("GET", "//evil.example/api/projects/", {}, None),
    ("GET", "/api/projects/1/#fragment", {}, None),
    ("GET", "/api/insights/", {}, None),
    ("GET", "/nothing", {}, None),
    *(("GET", path, {}, None) for path in ("/", "/admin", "/admin/", "/static/none.css", "/_livez", "/_readyz")),
    *(("GET", path, {}, None) for path in ("/metrics", "/docs/curl/", "/_labs", "/x/_lab/reset")),
    *(("POST", ROLES, JSON, body) for body in (None, b"", b"{", b"[]", b"\xff", b'{"name": null}', b"[" * 5000)),
    ("POST", ROLES, {"Content-Type": "text/plain"}, b"{}"),
    ("POST", ROLES, {"Content-Type": ""}, b'{"name": null}'),
    ("POST", ROLES, FORM, b"nam=x"),
    ("POST", ROLES, {**JSON, "Content-Encoding": "gzip"}, gzip.compress(b"{}", mtime=0)),
    ("POST", ROLES, {**JSON, "Expect": "100-continue"}, b"{"),
    ("POST", ROLES, {**JSON, "Authorization": ""}, json.dumps({"personal_api_key": "phx_unknown"}).encode()),
    ("POST", ROLES, JSON, json.dumps({"name": "x" * 10 * MB}).encode()),
    ("POST", ROLES, {**JSON, "Authorization": ""}, b" " * MB),
]


@pytest.mark.parametrize(
    "sent", REQUESTS, ids=lambda sent: f"{sent[0]} {sent[1][:40]} {str(sent[2])[:50]} {str(sent[3])[:20]}"
)
def test_a_response_is_the_one_of_the_web_server(lab: Lab, sent: tuple[str, str, dict[str, str], bytes | None]):
    method, path, headers, body = sent
    headers = {"Host": urlsplit(lab.server.url).netloc, **headers}
    through, direct = (lab.send(method, path, body, headers, port=port) for port in (None, lab.inner_port()))
    assert same(through) == same(direct)
    if "X-Request-Id" in headers:
        assert through.headers["X-Request-Id"] == "chosen"


def test_a_body_of_10_mb_arrives_whole(lab: Lab):
    settings = {"a": "b" * 250_000}
    body = {"name": "Large", "ignored": "c" * (10 * MB - 300_000), "extra_settings": settings}
    made = lab.send("POST", ROOT, body)
    assert made.status == 201, made.content[:300]
    assert made.json["extra_settings"] == settings
    assert lab.send("GET", f"{ROOT}{made.json['id']}/").json["extra_settings"] == settings


def test_an_unchanged_row_is_304_without_a_body(lab: Lab):
    first = lab.send("GET", "/api/projects/")
    for method in ("GET", "HEAD"):
        again = lab.send(method, "/api/projects/", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status, again.content) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        assert again.headers["Content-Type"] is None


def test_many_requests_use_one_connection(lab: Lab):
    with closing(HTTPConnection(urlsplit(lab.server.url).netloc, timeout=20)) as connection:
        connection.connect()
        ours = connection.sock.getsockname()
        for path in ("/api/projects/", "/nothing", "/_lab/clock", "/_lab/nothing", "/api/projects/"):
            connection.request("GET", path, headers={"Authorization": f"Bearer {KEY}"})
            connection.getresponse().read()
            assert connection.sock.getsockname() == ours


def exchange(lab: Lab, sent: str) -> bytes:
    """Send a text on a connection of its own; return all that comes back."""
    with socket.create_connection((HOST, urlsplit(lab.server.url).port or 0), timeout=20) as connection:
        connection.sendall(sent.encode("latin-1"))
        if "Content-Length: 9" in sent:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def test_a_whole_url_is_its_path_as_for_clients_of_a_proxy(lab: Lab):
    head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\r\n"
    for target in ("http://127.0.0.1/api/projects/?limit=1", "http://elsewhere.example:81/api/projects/?limit=1"):
        answer = answer_of(exchange(lab, f"GET {target} HTTP/1.1\r\n{head}"))
        assert answer.status == 200
        assert len(json.loads(answer.read())["results"]) == 1
    assert [row["path"] for row in lab.journal()] == ["/api/projects/"] * 2


@pytest.mark.parametrize(
    "sent",
    [
        "CONNECT @example.com:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "CONNECT example.com:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "GET @example.com/ HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "GET /api/projects/ HTTP/1.1\r\n",
        "nonsense\r\n",
        "POST /api/projects/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n",
        "GET /api/projects/ HTTP/1.1\r\nHost: 127.0.0.1\r\nNo colon\r\n",
    ],
)
def test_a_message_that_is_no_request_is_refused_and_goes_nowhere(lab: Lab, sent: str):
    assert re.match(rb"HTTP/1\.[01] 4\d\d ", exchange(lab, f"{sent}Connection: close\r\n\r\n"))
    assert lab.journal() == []


def test_a_client_that_hangs_up_in_the_middle_of_its_body_leaves_no_trace(lab: Lab):
    sent = "POST /api/projects/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\nContent-Type: application/json\r\n"
    exchange(lab, f"{sent}\r\n{{}}")
    assert lab.journal() == []
    assert lab.send("GET", "/api/projects/").status == 200


def test_requests_in_parallel_are_not_confused(lab: Lab):
    def work(number: int) -> Any:
        return [lab.send("GET", f"/api/projects/?search={number}-{i}").json["results"] for i in range(5)]

    assert at_once(8, work) == [[[]] * 5] * 8


class Echo(BaseHTTPRequestHandler):
    """Another web server: it answers the head of the request as it came, compressed, and redirects."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        content = gzip.compress(json.dumps([self.path, self.headers.items(), body.decode()]).encode())
        self.send_response(307, "Elsewhere")
        for name, value in (("Location", "http://elsewhere.example/"), ("Content-Encoding", "gzip")):
            self.send_header(name, value)
        for cookie in ("a=1", "b=2"):
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_head_and_body_arrive_as_they_were_sent_and_come_back_so():
    with ThreadingHTTPServer((HOST, 0), Echo) as other:
        thread = Thread(target=other.serve_forever)
        thread.start()
        with front(f"http://{HOST}:{other.server_port}") as port, closing(HTTPConnection(HOST, port)) as connection:
            sent = [("Host", "a.example"), ("X-A", "1"), ("X-A", "2"), ("Cookie", "c=d"), ("Content-Length", "2")]
            connection.putrequest("POST", "/x/%2F?a=%zz&b", skip_host=True, skip_accept_encoding=True)
            for name, value in [*sent, ("Connection", "keep-alive, X-Own"), ("Keep-Alive", "5"), ("TE", "trailers")]:
                connection.putheader(name, value)
            connection.endheaders(b"{}")
            answer = connection.getresponse()
            assert (answer.status, answer.reason) == (307, "Elsewhere")
            assert answer.headers["Location"] == "http://elsewhere.example/"
            assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
            content = answer.read()
            assert len(content) == int(answer.headers["Content-Length"])
            path, headers, body = json.loads(gzip.decompress(content))
            assert (path, sorted(map(tuple, headers)), body) == ("/x/%2F?a=%zz&b", sorted(sent), "{}")
        other.shutdown()
        thread.join()


def test_a_web_server_that_is_gone_is_503():
    with front(f"http://{HOST}:1") as port, closing(HTTPConnection(HOST, port)) as connection:
        connection.request("GET", ROOT)
        answer = connection.getresponse()
        assert (answer.status, json.load(answer)["code"]) == (503, "service_unavailable")
        assert answer.headers["Retry-After"]


@pytest.mark.whole
def test_a_client_that_stalls_in_its_body_is_408_as_without_the_lab(lab: Lab):
    for port in (urlsplit(lab.server.url).port or 0, lab.inner_port()):
        with socket.create_connection((HOST, port), timeout=20) as connection:
            connection.sendall(b"POST /api/projects/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{")
            answer = answer_of(connection.recv(65536))
        assert (answer.status, json.load(answer)["code"]) == (408, "request_timeout")


@pytest.mark.whole
def test_a_body_of_65_mb_is_413(lab: Lab):
    answer = lab.send("POST", ROOT, b" " * (65 * MB))
    assert (answer.status, answer.json["code"]) == (413, "request_too_large")
