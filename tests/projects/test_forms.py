from typing import Any

import pytest
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from core6.analytics.models import Dashboard
from tests.conftest import Caller, Cast
from tests.support.stored import FORM, RATE, everything, shown, store
from tests.support.urls import projects_url as url

#: No value is the default.
STATE = {
    "product_description": "A shop",
    "app_urls": ["a"],
    "slack_incoming_webhook": "https://example.com",
    "anonymize_ips": True,
    "completed_snippet_onboarding": True,
    "test_account_filters": [{"key": "a"}],
    "test_account_filters_default_checked": True,
    "path_cleaning_filters": [{"alias": "a"}],
    "is_demo": True,
    "timezone": "Europe/Berlin",
    "data_attributes": ["data-id"],
    "person_display_name_properties": ["email"],
    "correlation_config": {"a": 1},
    "autocapture_opt_out": False,
    "autocapture_exceptions_opt_in": True,
    "autocapture_exceptions_errors_to_ignore": ["a"],
    "capture_console_log_opt_in": False,
    "capture_performance_opt_in": None,
    "session_recording_opt_in": True,
    RATE: "0.40",
    "session_recording_minimum_duration_milliseconds": 5,
    "session_replay_config": {"record_canvas": True},
    "survey_config": {"a": 1},
    "access_control": True,
    "week_start_day": 1,
    "live_events_columns": ["event"],
    "recording_domains": ["a"],
    "extra_settings": {"a": 1},
    "modifiers": {"debug": True},
    "flags_persistence_default": True,
    "receive_org_level_activity_logs": True,
    "business_model": "b2b",
    "conversations_enabled": True,
    "conversations_settings": {"widget_public_token": "x" * 43},
    "logs_settings": {"retention_days": 30},
}


def form(caller: Caller, method: str, path: str, body: str) -> Any:
    return caller.request(method, path, body, content_type=FORM)


def multipart(caller: Caller, method: str, path: str, body: dict[str, Any]) -> Any:
    return caller.request(method, path, encode_multipart(BOUNDARY, body), content_type=MULTIPART_CONTENT)


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("kind", ["form", "multipart"])
def test_a_form_leaves_absent_fields_alone(cast: Cast, alice: Caller, kind: str, method: str):
    store(cast.web, primary_dashboard=Dashboard.objects.create(project=cast.web), **STATE)
    before = shown(alice.get(url(cast, cast.web)))
    if kind == "form":
        response = form(alice, method, url(cast, cast.web), "name=Shop")
    else:
        response = multipart(alice, method, url(cast, cast.web), {"name": "Shop"})
    after = shown(response)
    assert response.status_code == 200
    assert after == {**before, "name": "Shop", "updated_at": after["updated_at"]}
    assert shown(alice.get(url(cast, cast.web))) == after


@pytest.mark.parametrize("kind", ["form", "multipart"])
def test_a_project_created_by_a_form_has_the_same_defaults(cast: Cast, alice: Caller, kind: str):
    by_json = shown(alice.post(url(cast), {"name": "Shop"}))
    if kind == "form":
        response = form(alice, "POST", url(cast), "name=Shop")
    else:
        response = multipart(alice, "POST", url(cast), {"name": "Shop"})
    own = dict.fromkeys(("id", "uuid", "api_token", "created_at", "updated_at", "primary_dashboard"))
    assert response.status_code == 201
    assert {**shown(response), **own} == {**by_json, **own}


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("content_type", [FORM, MULTIPART_CONTENT])
def test_an_empty_form_changes_nothing(cast: Cast, alice: Caller, content_type: str, method: str):
    store(cast.web, **STATE)
    before = everything()
    body = f"--{BOUNDARY}--\r\n" if content_type == MULTIPART_CONTENT else ""
    response = alice.request(method, url(cast, cast.web), body, content_type=content_type)
    assert response.status_code == 200
    assert everything() == before


def test_the_pages_example_changes_nothing(cast: Cast, alice: Caller):
    store(cast.web, **STATE)
    before = everything()
    assert form(alice, "PATCH", url(cast, cast.web), "organization=string").status_code == 200
    assert everything() == before


@pytest.mark.parametrize(
    ("body", "field", "kept"),
    [
        ("app_urls=a&app_urls=b", "app_urls", ["a", "b"]),
        ("app_urls=a", "app_urls", ["a"]),
        ("app_urls=&app_urls=a", "app_urls", ["a"]),
        ("app_urls=", "app_urls", []),
        ("app_urls[0]=a&app_urls[1]=b", "app_urls", ["a", "b"]),
        ("app_urls=a,b", "app_urls", ["a,b"]),
        ("recording_domains=b&recording_domains=a", "recording_domains", ["b", "a"]),
        ("live_events_columns=event&live_events_columns=url", "live_events_columns", ["event", "url"]),
        (
            "person_display_name_properties=email&person_display_name_properties=name",
            "person_display_name_properties",
            ["email", "name"],
        ),
        ("name=a&name=b", "name", "b"),
        ("name=a+b%20c%C3%BC", "name", "a b cü"),
        ("anonymize_ips=true", "anonymize_ips", True),
        ("anonymize_ips=on", "anonymize_ips", True),
        ("capture_console_log_opt_in=false", "capture_console_log_opt_in", False),
        ("capture_console_log_opt_in=", "capture_console_log_opt_in", None),
        ("anonymize_ips=", "anonymize_ips", False),
        ("timezone=", "timezone", "UTC"),
        ("slack_incoming_webhook=", "slack_incoming_webhook", None),
        ("product_description=", "product_description", ""),
        ("session_recording_sample_rate=0.4", RATE, "0.40"),
        ("session_recording_sample_rate=", RATE, None),
        ("session_recording_minimum_duration_milliseconds=5", "session_recording_minimum_duration_milliseconds", 5),
        ("week_start_day=1", "week_start_day", 1),
        ("week_start_day=", "week_start_day", None),
        ("business_model=b2b", "business_model", "b2b"),
        ("business_model=", "business_model", ""),
        ("primary_dashboard=", "primary_dashboard", None),
        ('test_account_filters=[{"key": "a"}]', "test_account_filters", [{"key": "a"}]),
        ('modifiers={"debug": true}', "modifiers", {"debug": True}),
        ('survey_config={"a": {"b": [1]}}', "survey_config", {"a": {"b": [1]}}),
        ("survey_config=null", "survey_config", None),
        ("extra_settings=5", "extra_settings", 5),
        ('extra_settings="text"', "extra_settings", "text"),
        ('logs_settings={"retention_days": 14}', "logs_settings", {"retention_days": 14}),
        (
            'autocapture_exceptions_errors_to_ignore=["a"]',
            "autocapture_exceptions_errors_to_ignore",
            ["a"],
        ),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_values_of_a_form(cast: Cast, alice: Caller, method: str, body: str, field: str, kept: object):
    response = form(alice, method, url(cast, cast.web), body)
    assert (response.status_code, response.json().get(field)) == (200, kept)
    assert shown(alice.get(url(cast, cast.web))) == shown(response)


def test_a_multipart_form_is_read_like_any_form(cast: Cast, alice: Caller):
    body = {"app_urls": ["a", "b"], "modifiers": '{"debug": true}', "anonymize_ips": "true", RATE: "0.4"}
    response = multipart(alice, "PATCH", url(cast, cast.web), body)
    assert response.status_code == 200
    assert {name: response.json()[name] for name in body} == {
        "app_urls": ["a", "b"],
        "modifiers": {"debug": True},
        "anonymize_ips": True,
        RATE: "0.40",
    }


def test_a_dashboard_is_named_by_a_form(cast: Cast, alice: Caller):
    dashboard = Dashboard.objects.create(project=cast.web)
    response = form(alice, "PATCH", url(cast, cast.web), f"primary_dashboard={dashboard.pk}")
    assert response.json()["primary_dashboard"] == dashboard.pk
