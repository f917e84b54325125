"""Any page may send events: its origin is mirrored, on these paths alone (E8)."""

import pytest
from django.test import Client

from tests.conftest import Caller, Cast
from tests.support.capture.sending import FORM, as_base64, as_form, batch, event
from tests.support.routes import ingestion_routes
from tests.support.settings import python

ORIGIN = "https://shop.example"
PATHS = [each.format(token="phc_web") for each in ingestion_routes()]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", [ORIGIN, "http://localhost:3000", "null", "capacitor://localhost"])
def test_a_preflight_of_any_origin_is_allowed(cast: Cast, path: str, origin: str):
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-anything",
    }
    response = Caller(None).request("OPTIONS", path, headers=headers)
    assert (response.status_code, response.content) == (200, b"")
    assert response["Access-Control-Allow-Origin"] == origin
    assert response["Access-Control-Allow-Credentials"] == "true"
    assert response["Access-Control-Allow-Methods"] == "GET, POST, OPTIONS"
    assert response["Access-Control-Allow-Headers"] == "content-type,x-anything"
    assert "Origin" in response["Vary"]


@pytest.mark.parametrize("path", PATHS)
def test_options_without_an_origin_are_200_and_allow_nothing(cast: Cast, path: str):
    response = Caller(None).request("OPTIONS", path)
    assert (response.status_code, response.content) == (200, b"")
    assert not [name for name in response.headers if name.startswith("Access-Control-")]
    assert "Origin" in response["Vary"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("path", PATHS)
def test_every_answer_can_be_read_by_the_page_that_wanted_it(cast: Cast, path: str, method: str):
    response = Caller(None).request(method, path, {"api_key": "phc_other", "batch": []}, headers={"Origin": ORIGIN})
    assert response["Access-Control-Allow-Origin"] == ORIGIN
    assert response["Access-Control-Allow-Credentials"] == "true"
    assert "Access-Control-Allow-Headers" not in response
    assert "Origin" in response["Vary"]


def test_a_page_sends_events_without_a_preflight(cast: Cast):
    body = as_form(as_base64(batch(cast.web, event("visit", "anna"))))
    response = Caller(None).post("/e/", body, content_type=FORM, headers={"Origin": ORIGIN})
    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == ORIGIN


def test_a_client_that_is_no_page_gets_none_of_these_headers(cast: Cast):
    response = Caller(None).post("/batch/", batch(cast.web, event("visit", "anna")))
    assert not [name for name in response.headers if name.startswith("Access-Control-")]


def test_a_cookie_is_neither_wanted_nor_set(cast: Cast):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.alice)
    response = client.post("/batch/", batch(cast.web, event("visit", "anna")), content_type="application/json")
    assert response.status_code == 200
    assert not response.cookies


@pytest.mark.parametrize("path", ["/api/projects/", "/api/users/@me/", "/api/schema/", "/", "/admin/"])
def test_no_other_address_allows_an_origin(cast: Cast, alice: Caller, path: str):
    for method in ("GET", "OPTIONS"):
        response = alice.request(method, path, headers={"Origin": ORIGIN})
        assert not [name for name in response.headers if name.startswith("Access-Control-")]


def test_the_setting_for_origins_of_the_api_changes_nothing_here():
    found = python(
        """if True:
        import django
        django.setup()
        from django.test import Client
        for method, extra in (("OPTIONS", {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}), ("POST", {})):
            for origin in ("https://app.example", "https://shop.example"):
                answer = Client().generic(method, "/s/", HTTP_ORIGIN=origin, HTTP_HOST="localhost", **extra)
                names = ("Origin", "Credentials", "Methods")
                print(answer.status_code, *(answer.get(f"Access-Control-Allow-{name}") for name in names))
        """,
        DJANGO_SETTINGS_MODULE="core6.settings",
        CORS_ALLOWED_ORIGINS="https://app.example",
    )
    assert found.stdout.splitlines() == [
        "200 https://app.example true GET, POST, OPTIONS",
        "200 https://shop.example true GET, POST, OPTIONS",
        "200 https://app.example true None",
        "200 https://shop.example true None",
    ], found.stderr
