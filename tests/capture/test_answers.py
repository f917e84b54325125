"""What SDKs get back (E1, E2)."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from core6.analytics.models import Event
from core6.api.paths import is_ingestion
from projects.models import Project
from tests.conftest import Caller, Cast, error, invalid
from tests.support.capture.sending import ACCEPTED, batch, event, send, sent, stored
from tests.support.routes import METHODS, ingestion_routes

#: The paths that take events.
EVENTS = ["/batch/", "/e/", "/i/v0/e/", "/capture/", "/track/", "/engage/"]
UNKNOWN = "Project API key invalid. You can find your project API key in PostHog project settings."


def at(template: str) -> str:
    # Shorter than a real one, which may stand in no log.
    return template.format(token="phc_web")


def not_allowed(method: str) -> dict[str, Any]:
    return error("invalid_request", "method_not_allowed", f'Method "{method}" not allowed.')


@pytest.mark.parametrize("path", EVENTS)
def test_events_are_taken_with_and_without_a_slash(cast: Cast, path: str):
    for each in (path, path.rstrip("/")):
        response = Caller(None).post(each, batch(cast.web, event(each, "anna")))
        assert (response.status_code, response.json()) == (200, ACCEPTED)
        assert response["Content-Type"] == "application/json"
        assert response["Cache-Control"] == "no-store"
    assert stored(cast.web) == [(path.rstrip("/"), "anna"), (path, "anna")]


def test_every_path_of_events_is_one_of_ingestion():
    assert set(EVENTS) <= set(ingestion_routes())


def test_every_address_is_known_with_and_without_a_slash(cast: Cast):
    for template in ingestion_routes():
        for each in (at(template), at(template).rstrip("/")):
            assert is_ingestion(each)
            assert Caller(None).post(each, batch(cast.web, event("visit", "anna"))).status_code != 404


def test_other_addresses_are_not_there(cast: Cast):
    for path in (
        *("/batch//", "/Batch/", "/batchx", "/xbatch", "/e/e/", "/i/v0/", "/i/v0/e/x", "/api/batch/"),
        *("/array/", "/array/x/", "/array/x/config.js", "/array/x/y/config/", "/capture/1/", "/batch.json", "/s/x"),
    ):
        assert not is_ingestion(path)
        assert Caller(None).post(path, batch(cast.web, event("visit", "anna"))).status_code == 404
    assert not Event.objects.exists()


@pytest.mark.parametrize("template", ingestion_routes())
def test_other_methods_than_get_post_and_options_are_405(cast: Cast, template: str):
    body = batch(cast.web, event("visit", "anna"))
    for method in METHODS:
        if method not in ("GET", "POST", "OPTIONS"):
            response = Caller(None).request(method, at(template), body)
            assert response.status_code == 405
            assert response["Allow"] == "GET, POST, OPTIONS"
            assert method == "HEAD" or response.json() == not_allowed(method)
    assert not Event.objects.exists()
    for method in ("GET", "POST", "OPTIONS"):
        assert Caller(None).request(method, at(template), body).status_code != 405 or "/v1/" in template


def test_get_without_data_is_400(cast: Cast):
    for path, query in product(EVENTS, ({}, {"data": ""}, {"compression": "gzip"})):
        response = Caller(None).get(path, **query)
        assert response.status_code == 400
        assert response.json() == invalid("invalid_input", "request missing data payload")


@pytest.mark.parametrize("path", EVENTS[:2])
def test_only_a_beacon_gets_204(cast: Cast, path: str):
    for query, status in (("beacon=1", 204), ("beacon=0", 200), ("beacon", 200), ("beacon=true", 200)):
        response = Caller(None).post(f"{path}?{query}", batch(cast.web, event("visit", "anna")))
        assert response.status_code == status
        assert response.content == (b"" if status == 204 else b'{"status": 1}')
    refused = Caller(None).post(f"{path}?beacon=1", b"")
    assert refused.status_code == 400
    assert refused.json()["detail"] == "request missing data payload"


def test_an_unknown_token_is_401_and_loses_no_event_silently(cast: Cast):
    for path in EVENTS:
        response = Caller(None).post(path, {"api_key": "phc_" + "x" * 43, "batch": [event("visit", "anna")]})
        assert response.status_code == 401
        assert response.json() == error("authentication_error", "invalid_api_key", UNKNOWN)
    assert not Event.objects.exists()


def test_no_token_is_401(cast: Cast):
    response = Caller(None).post("/batch/", {"batch": [event("visit", "anna")]})
    assert response.status_code == 401
    detail = "event submitted without an api_key"
    assert response.json() == error("authentication_error", "invalid_api_key", detail)


def test_a_personal_key_is_401_and_the_answer_says_what_to_send(cast: Cast):
    for token, kind in ((cast.key(cast.alice), "personal_api_key"), ("phs_" + "x" * 40, "secret token")):
        response = Caller(None).post("/batch/", {"api_key": token, "batch": [event("visit", "anna")]})
        assert response.status_code == 401
        assert response.json()["detail"] == (
            f"API key is not valid: {kind}: send the token of a project (phc_…), which its settings show"
        )
        assert token not in response.content.decode()
    assert not Event.objects.exists()


def test_a_key_in_the_header_is_no_token(cast: Cast):
    caller = cast.caller(cast.alice)
    assert caller.post("/batch/", {"batch": [event("visit", "anna")]}).status_code == 401
    assert caller.post("/batch/", batch(cast.globex_web, event("visit", "anna"))).status_code == 200
    assert stored(cast.globex_web) == [("visit", "anna")]


def test_a_reset_token_is_dead_at_once_and_the_new_one_works(cast: Cast, alice: Caller):
    old = cast.web
    sent(old, event("visit", "anna"))
    assert alice.request("PATCH", f"/api/projects/{old.pk}/reset_token/").status_code == 200
    assert send(old, event("visit", "ben")).status_code == 401
    new = Project.objects.get(pk=old.pk)
    assert new.api_token != old.api_token
    sent(new, event("visit", "cleo"))
    assert stored(new) == [("visit", "anna"), ("visit", "cleo")]


def test_the_token_of_a_deleted_project_is_dead(cast: Cast, alice: Caller):
    assert alice.delete(f"/api/projects/{cast.web.pk}/").status_code == 204
    assert send(cast.web, event("visit", "anna")).status_code == 401


def test_a_body_that_ended_early_is_400(cast: Cast):
    response = Caller(None).post("/batch/", batch(cast.web, event("a", "b")), **{"core6.body_ended_early": True})
    assert response.status_code == 400
    assert response.json() == invalid("invalid_input", "failed to decode request: the body ended too early")
    assert not Event.objects.exists()


@contextmanager
def without_database(failure: Exception) -> Iterator[None]:
    def refuse(*_: Any) -> None:
        raise failure

    with connection.execute_wrapper(refuse):
        yield


@pytest.mark.parametrize("template", [each for each in ingestion_routes() if each != "/s/"])
def test_without_a_database_it_is_503_with_the_time_to_wait(
    cast: Cast, template: str, caplog: pytest.LogCaptureFixture
):
    headers = {"Authorization": "Bearer phc_web", "Origin": "https://shop.example"}
    if "/v1/" in template:
        names = ("PostHog-Sdk-Info", "PostHog-Attempt", "PostHog-Request-Id", "PostHog-Request-Timestamp")
        headers |= {**dict.fromkeys(names, "2026-03-15T10:00:00Z"), "PostHog-Attempt": "1"}
    for failure in (OperationalError, InterfaceError, DatabaseError):
        caplog.clear()
        with without_database(failure("away, says phx_" + "a" * 40)):
            response = Caller(None).post(at(template), batch(cast.web, event("visit", "anna")), headers=headers)
        assert response.status_code == 503
        assert int(response["Retry-After"]) >= 1
        assert response["Content-Type"] == "application/json"
        # Without it a browser hides the answer.
        assert response["Access-Control-Allow-Origin"] == "https://shop.example"
        assert "Events were refused with 503" in caplog.text


def test_a_deadlock_is_tried_again_and_not_shown(cast: Cast):
    failures = 3

    def fail(execute: Any, sql: str, *arguments: Any) -> Any:
        nonlocal failures
        if "INSERT INTO analytics_event" in sql and failures:
            failures -= 1
            raise OperationalError("deadlock detected") from psycopg.errors.DeadlockDetected()
        return execute(sql, *arguments)

    with connection.execute_wrapper(fail):
        sent(cast.web, event("visit", "anna"))
    assert failures == 0
    assert stored(cast.web) == [("visit", "anna")]


def test_an_error_in_the_middle_stores_nothing(cast: Cast):
    def fail(execute: Any, sql: str, *arguments: Any) -> Any:
        if "INSERT INTO analytics_distinctid" in sql:
            raise OperationalError("the connection is lost")
        return execute(sql, *arguments)

    with connection.execute_wrapper(fail):
        assert send(cast.web, event("visit", "anna")).status_code == 503
    assert not Event.objects.exists()
    sent(cast.web, event("visit", "anna"))
    assert stored(cast.web) == [("visit", "anna")]


def test_the_first_event_is_noted_in_the_project_once(cast: Cast, alice: Caller):
    path = f"/api/projects/{cast.web.pk}/"
    assert alice.get(path).json()["ingested_event"] is False
    sent(cast.web, event("visit", "anna"))
    assert alice.get(path).json()["ingested_event"] is True
    assert not Project.objects.get(pk=cast.app.pk).ingested_event


def test_the_address_of_the_client_is_added_unless_it_is_given_or_unwanted(cast: Cast):
    one, two, three = (f"01900000-0000-7000-8000-00000000000{number}" for number in (1, 2, 3))
    sent(cast.web, event("visit", "anna", uuid=one), event("visit", "anna", {"$ip": "192.0.2.7"}, uuid=two))
    Project.objects.filter(pk=cast.web.pk).update(anonymize_ips=True)
    sent(cast.web, event("visit", "anna", {"$ip": "192.0.2.7"}, uuid=three))
    found = {str(each.uuid): each.properties for each in Event.objects.all()}
    assert found == {one: {"$ip": "127.0.0.1"}, two: {"$ip": "192.0.2.7"}, three: {}}


@pytest.mark.parametrize("debug", [False, True])
def test_a_fault_of_the_server_is_json(cast: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch, *, debug: bool):
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("a fault")

    settings.DEBUG = debug
    settings.MIDDLEWARE = ["core6.api.debug_mode.NoDebugPagesMiddleware", *settings.MIDDLEWARE]
    monkeypatch.setattr("core6.capture.views.project_of", fail)
    caller = Caller(None)
    caller.client.raise_request_exception = False
    response = caller.post("/batch/", {"api_key": "phc_web", "batch": [event("visit", "anna")]})
    assert response.status_code == 500
    assert response.json() == error("server_error", "error", "A server error occurred.")
