"""Any page may send events: its origin is mirrored, on these paths alone (E8)."""

from typing import Any

import pytest
from django.test import Client

from tests.conftest import Caller, Cast
from tests.support.capture.sending import FORM, as_base64, as_form, batch, event
from tests.support.routes import ingestion_routes

ORIGIN = "https://shop.example"
PATHS = [each.format(token="phc_web") for each in ingestion_routes()]


def allowed(response: Any) -> list[str]:
    return [name for name in response.headers if name.startswith("Access-Control-")]


@pytest.mark.parametrize("path", PATHS)
def test_a_preflight_of_any_origin_is_allowed(cast: Cast, path: str):
    for origin in (ORIGIN, "http://localhost:3000", "null", "capacitor://localhost"):
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
def test_every_answer_can_be_read_by_the_page_that_wanted_it(cast: Cast, path: str):
    for method in ("GET", "POST", "PUT"):
        body = {"api_key": "phc_other", "batch": []}
        response = Caller(None).request(method, path, body, headers={"Origin": ORIGIN})
        assert response["Access-Control-Allow-Origin"] == ORIGIN
        assert response["Access-Control-Allow-Credentials"] == "true"
        assert "Access-Control-Allow-Headers" not in response
        assert "Origin" in response["Vary"]


def test_options_without_an_origin_are_200_and_allow_nothing(cast: Cast):
    for path in PATHS:
        response = Caller(None).request("OPTIONS", path)
        assert (response.status_code, response.content) == (200, b"")
        assert allowed(response) == []
        assert "Origin" in response["Vary"]


def test_a_page_sends_events_without_a_preflight(cast: Cast):
    body = as_form(as_base64(batch(cast.web, event("visit", "anna"))))
    response = Caller(None).post("/e/", body, content_type=FORM, headers={"Origin": ORIGIN})
    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == ORIGIN


def test_a_client_that_is_no_page_gets_none_of_these_headers(cast: Cast):
    response = Caller(None).post("/batch/", batch(cast.web, event("visit", "anna")))
    assert allowed(response) == []


def test_a_cookie_is_neither_wanted_nor_set(cast: Cast):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.alice)
    response = client.post("/batch/", batch(cast.web, event("visit", "anna")), content_type="application/json")
    assert response.status_code == 200
    assert not response.cookies


def test_no_other_address_allows_an_origin(cast: Cast, alice: Caller):
    for path in ("/api/projects/", "/api/users/@me/", "/", "/batchx"):
        for method in ("GET", "OPTIONS"):
            assert allowed(alice.request(method, path, headers={"Origin": ORIGIN})) == []


def test_the_setting_for_origins_of_the_api_changes_nothing_here(cast: Cast, alice: Caller, settings: Any):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    settings.MIDDLEWARE = ["corsheaders.middleware.CorsMiddleware", *settings.MIDDLEWARE]
    for method, extra in (("OPTIONS", {"Access-Control-Request-Method": "POST"}), ("POST", {})):
        for origin in ("https://app.example", ORIGIN):
            response = alice.request(method, "/s/", headers={"Origin": origin, **extra})
            assert response["Access-Control-Allow-Origin"] == origin
            assert response["Access-Control-Allow-Credentials"] == "true"
    response = alice.request("GET", "/api/users/@me/", headers={"Origin": "https://app.example"})
    assert response["Access-Control-Allow-Origin"] == "https://app.example"
