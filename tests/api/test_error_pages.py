"""Errors outside `/api/`: a page for a browser, JSON for every other client; below `/api/` always JSON."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from core6.accounts.models import User
from tests.conftest import Cast

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


def browser(**options: Any) -> Client:
    return Client(headers={"Accept": HTML}, **options)


@pytest.mark.parametrize("path", ["/nothing", "/nothing/at/all/", "/index.php"])
def test_a_browser_gets_a_page_of_an_unknown_address(db: None, path: str):
    answer = browser().get(path)
    text = answer.content.decode()
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "<title>404 Not Found | Core6</title>" in text
    assert "There is no page at this address" in text
    assert '<main id="content"' in text
    assert '<a href="/admin/">Console</a>' in text


def test_a_browser_gets_a_page_of_an_unknown_page_of_the_console(cast: Cast):
    User.objects.filter(pk=cast.alice.pk).update(is_staff=True)
    client = browser()
    client.force_login(cast.alice)
    answer = client.get("/admin/nothing/")
    assert (answer.status_code, "404: Not Found" in answer.content.decode()) == (404, True)


@pytest.mark.parametrize("accept", ["application/json", "*/*", ""])
def test_another_client_gets_json(db: None, accept: str):
    answer = Client(headers={"Accept": accept}).get("/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/api/nothing/", "/api/projects/4711/"])
def test_the_api_responds_with_json_to_a_browser_too(cast: Cast, path: str):
    answer = browser().get(path)
    assert answer.headers["Content-Type"].startswith("application/json")


def test_a_form_from_elsewhere_gets_a_page_that_says_what_to_do(db: None):
    answer = browser(enforce_csrf_checks=True).post("/admin/login/", {"username": "x", "password": "y"})
    text = answer.content.decode()
    assert answer.status_code == 403
    assert "load the page, and send it again" in text
    assert "Django" not in text
    assert "CSRF" not in text


def test_a_host_that_is_not_allowed_gets_a_page(db: None):
    answer = browser().get("/", headers={"Host": "elsewhere.example.com"})
    assert answer.status_code == 400
    assert "add the host to ALLOWED_HOSTS" in answer.content.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/admin/", "/admin/projects/project/"])
def test_the_console_says_that_the_database_is_away(committed_cast: Cast, path: str):
    User.objects.filter(pk=committed_cast.alice.pk).update(is_staff=True)
    client = browser(raise_request_exception=False)
    client.force_login(committed_cast.alice)
    host = connection.settings_dict["HOST"]
    connection.close()
    connection.settings_dict["HOST"] = "/nonexistent"
    try:
        answer = client.get(path)
        other = Client(
            raise_request_exception=False, headers={"Cookie": f"sessionid={client.cookies['sessionid'].value}"}
        )
        plain = other.get(path, headers={"Accept": "application/json"})
    finally:
        connection.settings_dict["HOST"] = host
        connection.close()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "The database does not answer: wait a few seconds" in answer.content.decode()
    assert plain.status_code == 503
    assert client.get(path).status_code == 200
