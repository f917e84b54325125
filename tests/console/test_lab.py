"""The page of the lab in the console: what it shows of a running lab, and what it says where there is none."""

import html
import re
import shlex
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest
from django.test import Client

from core6.console.lab import MOST
from core6.serving.ports import free_port
from tests.conftest import Cast
from tests.console.conftest import Console
from tests.support.lab_without_server import Lab, running_lab
from tests.support.places import place
from tests.support.serving import LIGHT, Serve, serving

PAGE = "/admin/lab/"
LINK = 'href="/admin/lab/"'


@pytest.fixture
def lab(db: None, settings: Any, tmp_path: Path) -> Iterator[Lab]:
    with running_lab(settings, tmp_path) as running:
        yield running


def text(page: str) -> str:
    """Return what a page says, without its tags."""
    main = page.split("<main", 1)[1]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


def shown(page: str) -> list[str]:
    """Return the method and the address of the requests in the page."""
    lines = re.findall(r'<code class="core6-entry-path"><strong>(\w+)</strong> (.+?)</code>', page)
    return [html.unescape(f"{method} {address}") for method, address in lines]


def test_a_user_sees_no_page_and_no_link_without_a_lab(console: Console, settings: Any):
    settings.IS_LAB = False
    assert console.get(PAGE).status_code == 404
    assert LINK not in console.read("/admin/")


def test_a_user_sees_the_link_beside_a_lab(console: Console, lab: Lab):
    assert LINK in console.read("/admin/")


def test_a_user_without_the_right_sees_no_lab(cast: Cast, lab: Lab):
    browser = Client()
    browser.force_login(cast.dave)
    answer = browser.get(PAGE)
    assert (answer.status_code, answer.content) == (302, b"")


def test_a_user_sees_how_to_order_the_first_fault_and_the_line_works(console: Console, lab: Lab):
    page = console.read(PAGE)
    assert "There is no fault: every request is answered by the server." in text(page)
    line = html.unescape(re.search(r'id="first-fault"[^>]*>(.+?)</pre>', page, re.DOTALL)[1])  # type: ignore[index]
    program, option, kind, address, data, body = shlex.split(line)
    assert (program, option, kind, data) == ("curl", "-H", "Content-Type: application/json", "-d")
    assert address == "http://testserver/_lab/faults"
    assert lab.call("POST", "/_lab/faults", body) == 200
    assert lab.call("GET", "/api/projects/1/annotations/") == 503
    assert shown(console.read(PAGE)) == ["GET /api/projects/1/annotations/"]


def test_a_user_sees_what_is_left_of_each_fault(console: Console, lab: Lab):
    lab.order(method="get", path="/api/projects/", times=3, answer={"status": 503, "body": {"detail": "busy"}})
    lab.order(path="/api/users/@me/", times=None, delay_ms=1500)
    lab.order(path="*/persons/", key="ci", truncate_bytes=2000)
    lab.order(path="*/roles/", cut=True)
    assert lab.call("GET", "/api/projects/") == 503
    said = text(console.read(PAGE))
    assert "4 faults left" in said
    assert "1 2 times answers 503 GET /api/projects/ Headers and body of the answer" in said
    assert '"detail": "busy"' in said
    assert "2 Always delays the answer by 1,500 ms /api/users/@me/" in said
    assert "3 Once ends the answer after 2,000 bytes */persons/ key ci" in said
    assert "4 Once cuts the connection */roles/" in said
    assert "There is no fault" not in said


def test_a_user_sees_the_clock_and_whether_strict_is_on(console: Console, lab: Lab):
    said = text(console.read(PAGE))
    assert "clock the time of this machine off strict" in said
    assert lab.call("PUT", "/_lab/clock", {"shift": "-3d"}) == 200
    assert lab.call("PUT", "/_lab/strict", {"enabled": True}) == 200
    assert "clock 3 days behind this machine on strict" in text(console.read(PAGE))
    assert lab.call("PUT", "/_lab/clock", {"now": "2040-01-01T12:00:00Z"}) == 200
    said = text(console.read(PAGE))
    assert re.search(r"2040-01-01 12:00:\d\d clock [\d,]+ days, \d+:\d\d:\d\d ahead of this machine", said)


def test_a_user_sees_the_requests_newest_first_with_headers_and_body(console: Console, lab: Lab):
    lab.order(path="*/annotations/", cut=True)
    assert lab.call("GET", "/api/projects/1/annotations/?limit=2") is None
    sent = {"X-Trace": "seen", "Cookie": "token=zqx-secret"}
    assert lab.call("POST", "/api/projects/1/cohorts/", {"name": "Paying"}, **sent) == 503
    page = console.read(PAGE)
    assert shown(page) == ["POST /api/projects/1/cohorts/", "GET /api/projects/1/annotations/?limit=2"]
    newest, oldest = text(page).split("2 requests, newest first.")[1].split("GET /api")
    assert re.search(r"503 POST \S+ no key [\d.]+ ms", newest)
    assert "X-Trace seen" in newest
    assert '"name": "Paying"' in newest
    assert newest.endswith("cut ")
    assert re.search(r"limit=2 no key, fault 1 [\d.]+ ms", oldest)
    assert "The request has no body." in oldest
    assert "zqx-secret" not in page


def test_a_user_filters_requests_by_path_method_and_status(console: Console, lab: Lab):
    lab.order(path="/api/projects/", answer={"status": 201})
    lab.order(path="*/roles/", cut=True)
    for method, path in (
        ("POST", "/api/projects/"),
        ("GET", "/api/projects/1/cohorts/?search=A"),
        ("GET", "/x/roles/"),
    ):
        lab.call(method, path)
    every = ["GET /x/roles/", "GET /api/projects/1/cohorts/?search=A", "POST /api/projects/"]
    for query, expected in (
        ({}, every),
        ({"path": "/PROJECTS"}, every[1:]),
        ({"path": "search=a"}, every[1:2]),
        ({"method": "GET"}, every[:2]),
        ({"status": "2xx"}, every[2:]),
        ({"status": "cut"}, every[:1]),
        ({"path": "roles", "method": "GET", "status": "cut"}, every[:1]),
    ):
        assert shown(console.read(f"{PAGE}?{urlencode(query)}")) == expected, query
    none = text(console.read(f"{PAGE}?path=nothing"))
    assert "No request fits this filter." in none


def test_a_user_sees_the_newest_of_many_requests(console: Console, lab: Lab):
    for number in range(MOST + 1):
        lab.call("GET", f"/api/{number}/")
    page = console.read(PAGE)
    assert shown(page) == [f"GET /api/{number}/" for number in range(MOST, 0, -1)]
    assert f"The newest {MOST} of {MOST + 1} requests, newest first." in text(page)


def test_a_user_sees_a_sentence_when_the_lab_does_not_answer(console: Console, lab: Lab, settings: Any):
    settings.LAB_URL = f"http://127.0.0.1:{free_port('127.0.0.1', 0)}"
    assert f"The lab does not answer at {settings.LAB_URL}: load this page again." in text(console.read(PAGE))
    settings.LAB_URL = ""
    assert "This process was not started by `serve --lab`" in text(console.read(PAGE))


def test_a_user_sees_a_sentence_when_another_program_answers(console: Console, lab: Lab, settings: Any):
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        thread = Thread(target=other.handle_request)
        thread.start()
        settings.LAB_URL = f"http://127.0.0.1:{other.server_port}"
        assert "The lab refuses to show its clock: it answers 501." in text(console.read(PAGE))
        thread.join()


def test_a_user_sees_the_lab_where_the_address_of_the_machine_is_no_allowed_host(
    console: Console, lab: Lab, settings: Any
):
    settings.ALLOWED_HOSTS = ["testserver"]
    assert "There is no fault" in text(console.read(PAGE))


def test_the_page_sends_the_token_and_shows_where_it_belongs_in_the_line(console: Console, lab: Lab, settings: Any):
    settings.LAB_TOKEN = "a token of a test, of 32 characters"
    page = console.read(PAGE)
    assert 'curl -H "Authorization: Bearer $LAB_TOKEN" -H' in text(page)
    assert settings.LAB_TOKEN not in page


def test_a_user_changes_nothing_by_the_page(console: Console, lab: Lab):
    assert console.client.post(PAGE, {"path": "*"}).status_code == 405
    assert 'method="post"' not in console.read(PAGE).split("<main", 1)[1]


def test_what_a_browser_requests_for_the_page_meets_no_fault(console: Console, lab: Lab):
    lab.order(path="*", answer={"status": 418})
    for path in ("/favicon.ico", "/static/core6/console.css", PAGE):
        assert lab.call("GET", path) == 503, path  # there is no server behind this lab
    page = console.read(PAGE)
    assert shown(page) == []
    assert "1 fault left" in text(page)


@pytest.fixture(scope="module")
def server() -> Iterator[Serve]:
    with place() as parent, serving(parent / "data", *LIGHT, "--lab") as running:
        yield running


def log_in(server: Serve) -> OpenerDirector:
    """Return a browser in which the first user of a server is logged in."""
    found = re.fullmatch(r"(\S+), as (\S+) with the first password (\S+)", server.printed("console"))
    assert found
    address, email, password = found.groups()
    browser = build_opener(HTTPCookieProcessor())
    form = browser.open(f"{address}login/").read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    assert token
    sent = {"username": email, "password": password, "csrfmiddlewaretoken": token[1]}
    browser.open(f"{address}login/", urlencode(sent).encode())
    return browser


def test_a_user_of_serve_lab_sees_the_requests_of_a_key(server: Serve):
    browser = log_in(server)
    assert server.call("GET", "/api/projects/")[0] == 200
    page = browser.open(server.url + PAGE).read().decode()
    assert shown(page) == ["GET /api/projects/"]
    assert "200 GET /api/projects/ key demo" in text(page)
    assert server.printed("API key") not in page
    assert LINK in browser.open(f"{server.url}/admin/").read().decode()
