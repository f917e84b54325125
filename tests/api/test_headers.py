"""The headers that protect browsers: on every answer, and a policy on the pages."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from core6.settings import BASE_DIR
from tests.conftest import Caller, Cast
from tests.support.settings import SECRET, python

PAGES = ["/", "/api/schema/swagger-ui/", "/api/schema/redoc/"]
POLICY = "Content-Security-Policy"


def check_headers(response: Any) -> None:
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    # Without TLS a browser ignores it, and complains.
    assert "Cross-Origin-Opener-Policy" not in response
    assert "Strict-Transport-Security" not in response


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *((page, 200) for page in PAGES),
        ("/api/schema/", 200),
        ("/favicon.ico", 200),
        ("/static/core6/favicon.svg", 200),
        ("/api/users/@me/", 401),
        ("/api/nothing", 404),
        ("/nothing", 404),
    ],
)
def test_every_answer_has_them(db: None, client: Client, path: str, status: int):
    response = client.get(path)
    assert response.status_code == status
    check_headers(response)
    assert (POLICY in response) == (path in PAGES)
    response.close()


def test_refused_hosts_have_them(client: Client):
    response = client.get("/api/users/@me/", headers={"Host": "evil.example"})
    assert response.status_code == 400
    check_headers(response)


def test_fast_answers_have_them(cast: Cast, alice: Caller):
    path = f"/api/projects/{cast.web.pk}/annotations/"
    response = alice.get(path)
    check_headers(response)
    response = alice.client.get(path, headers={"If-None-Match": response["ETag"]})
    assert response.status_code == 304
    check_headers(response)


@pytest.mark.parametrize("accept", ["application/json", "application/json;q=0.9"], ids=["fast", "ordinary"])
@pytest.mark.parametrize("place", ["annotations/", "annotations/{annotation}/", "cohorts/", ""])
def test_an_answer_with_a_tag_is_revalidated_each_time(cast: Cast, alice: Caller, place: str, accept: str):
    project = f"/api/projects/{cast.web.pk}/"
    annotation = alice.post(f"{project}annotations/", {"content": "x", "scope": "project"}).json()["id"]
    path = project + place.format(annotation=annotation)
    for _ in range(2):  # the second answer may be one that was kept
        response = alice.client.get(path, headers={"Accept": accept})
        assert (response.status_code, response["Cache-Control"]) == (200, "private, no-cache")
    response = alice.client.get(path, headers={"Accept": accept, "If-None-Match": response["ETag"]})
    assert (response.status_code, response["Cache-Control"]) == (304, "private, no-cache")


def test_what_has_no_tag_is_kept_by_nobody(cast: Cast, alice: Caller):
    project = f"/api/projects/{cast.web.pk}/"
    evil = {"Host": "evil.example.com"}
    for response, status in (
        (alice.get(f"{project}annotations/999999/"), 404),
        (alice.get("/api/nothing"), 404),
        (alice.get(f"/api/projects/{cast.globex_web.pk}/annotations/"), 403),
        (alice.post(f"{project}annotations/", {"scope": "nowhere"}), 400),
        (Caller(None).get(project), 401),
        (alice.delete(f"{project}annotations/"), 405),
        (alice.client.get(project, headers=evil), 400),
        (alice.client.options(project), 200),
    ):
        assert (response.status_code, response["Cache-Control"]) == (status, "no-store")


def test_files_of_the_pages_may_be_kept(db: None, client: Client):
    assert client.get("/favicon.ico")["Cache-Control"] == "max-age=86400"
    assert "Cache-Control" not in client.get("/")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_lets_only_its_own_scripts_run(client: Client, page: str):
    response = client.get(page)
    policy = dict(part.split(" ", 1) for part in response[POLICY].split("; "))
    assert policy["default-src"] == "'self'"
    assert "script-src" not in policy
    assert "unsafe-eval" not in response[POLICY]
    assert {name for name, value in policy.items() if "'unsafe-inline'" in value} == {"style-src"}
    assert not re.search(r"\*|//|https?:", response[POLICY])
    for script in re.findall(r"<script\b([^>]*)>", response.content.decode()):
        assert 'src="/static/' in script
    assert not re.search(r"\son\w+=", response.content.decode())


@pytest.mark.parametrize("path", ["/favicon.ico", "/static/core6/favicon.svg"])
def test_there_is_an_icon(db: None, client: Client, path: str):
    response = client.get(path)
    assert response["Content-Type"] == "image/svg+xml"
    content = b"".join(response) if response.streaming else response.content
    response.close()
    assert content == (BASE_DIR / "core6/static/core6/favicon.svg").read_bytes()


def test_behind_a_proxy_that_speaks_tls_there_are_more(tmp_path: Path):
    code = (
        "import django; django.setup()\n"
        "from django.test import Client\n"
        "for proto in ('http', 'https'):\n"
        "    headers = {'Host': 'localhost', 'X-Forwarded-Proto': proto}\n"
        "    for path in ('/', '/api/schema/swagger-ui/', '/api/nothing'):\n"
        "        answer = Client().get(path, headers=headers)\n"
        "        print(answer.get('Strict-Transport-Security'), answer.get('Cross-Origin-Opener-Policy'))\n"
    )
    given = {"DJANGO_SETTINGS_MODULE": "core6.settings", "CORE6_DATA_DIR": str(tmp_path)}
    done = python(code, IS_BEHIND_PROXY="true", SECRET_KEY=SECRET, **given)
    assert done.stdout.splitlines() == ["None same-origin"] * 3 + ["max-age=31536000 same-origin"] * 3, done.stderr
