from typing import Any

import pytest

from core6.analytics.models import Dashboard
from projects.models import Project
from tests.conftest import Caller, Cast, invalid
from tests.support.stored import DURATION, ERRORS, FORM, RATE, everything, shown, store
from tests.support.urls import projects_url as url

TOKEN = "a-token-of-43-characters-without-any-prefix"
STATES: list[dict[str, Any]] = [
    {},
    {"name": " Shop ", "product_description": ""},
    {"access_control": True},
    {ERRORS: ["a"]},
    {ERRORS: []},
    # Kept since before the rules, or written by an operator.
    {ERRORS: {"not": "a list"}},
    {"name": "", "timezone": "Mars/Phobos", "business_model": ""},
    {"slack_incoming_webhook": "http://localhost/x"},
    {"slack_incoming_webhook": ""},
    {"app_urls": ["", "a"], "recording_domains": [""], "live_events_columns": [""]},
    {"session_recording_linked_flag": {}, "session_recording_masking_config": {"older": 1}},
    {"session_recording_network_payload_capture_config": ["text"], "session_replay_config": {"older": {}}},
    {"modifiers": {"older": 1, "bounceRateDurationSeconds": 500}},
    {"survey_config": "text", "logs_settings": [], "conversations_settings": 5},
    # Ordinary values
    {RATE: "0.40", DURATION: 0, "week_start_day": 0},
    {RATE: "0.00", DURATION: 1, "week_start_day": 1},
    {RATE: "1.00", "is_demo": True, "ingested_event": True},
    {"capture_console_log_opt_in": None, "capture_performance_opt_in": False, "anonymize_ips": True},
    {"receive_org_level_activity_logs": True},
    {"receive_org_level_activity_logs": None},
    {"survey_config": {"a": {"b": [1, 1.5, None, True]}}, "session_replay_config": {"ai_config": None}},
    {"conversations_enabled": True},
    {"conversations_enabled": True, "conversations_settings": {"widget_public_token": TOKEN, "widget_domains": [""]}},
    {"conversations_enabled": False, "conversations_settings": {"widget_public_token": None}},
    {"conversations_settings": {"widget_public_token": TOKEN}},
    {"logs_settings": {"retention_days": 30, "retention_last_updated": "2999-01-01T00:00:00+00:00"}},
    {"secret_api_token": "phs_new", "secret_api_token_backup": "phs_old"},
    {"extra_settings": True, "path_cleaning_filters": 1, "correlation_config": 0},
    {"extra_settings": False, "path_cleaning_filters": "", "correlation_config": 1.0},
    {"extra_settings": {"big": 10**30, "huge": 1e300, "small": 1e-7, "": "\\u0000"}},
    {"test_account_filters": {}, "data_attributes": "text", "path_cleaning_filters": None},
]


@pytest.mark.parametrize("state", STATES, ids=lambda state: " ".join(state) or "fresh")
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("name", ["alice", "carol"])
def test_a_project_can_be_sent_back_as_it_was_read(cast: Cast, name: str, method: str, state: dict):
    caller = cast.caller(getattr(cast, name))
    store(cast.web, **state)
    read, before = caller.get(url(cast, cast.web)), everything()
    response = caller.request(method, url(cast, cast.web), read.json())
    assert (response.status_code, shown(response)) == (200, shown(read))
    assert everything() == before


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_primary_dashboard_that_was_deleted_since_can_be_sent_back(cast: Cast, alice: Caller, method: str):
    created = alice.post(url(cast), {"name": "New"}).json()
    project = Project.objects.get(pk=created["id"])
    Dashboard.objects.update(deleted=True)
    read, before = alice.get(url(cast, project)), everything()
    assert read.json()["primary_dashboard"] == created["primary_dashboard"]
    response = alice.request(method, url(cast, project), read.json())
    assert (response.status_code, shown(response)) == (200, shown(read))
    assert everything() == before


def test_one_field_can_be_changed_in_what_was_read(cast: Cast, alice: Caller):
    state = {"access_control": True, "slack_incoming_webhook": "http://localhost/x", "modifiers": {"older": 1}}
    store(cast.web, **state)
    read = alice.get(url(cast, cast.web)).json()
    response = alice.put(url(cast, cast.web), {**read, "timezone": "Europe/Berlin", "conversations_enabled": True})
    assert response.status_code == 200
    changed = ("timezone", "conversations_enabled", "conversations_settings", "updated_at", "live_events_token")
    assert {**response.json(), **dict.fromkeys(changed)} == {**read, **dict.fromkeys(changed)}
    assert response.json()["timezone"] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("state", "sent"),
    [
        ({RATE: "0.40"}, {RATE: 0.4}),
        ({RATE: "0.40"}, {RATE: "0.4"}),
        ({RATE: "0.00"}, {RATE: 0}),
        ({DURATION: 5}, {DURATION: "5"}),
        ({"week_start_day": 1}, {"week_start_day": "1"}),
        ({"anonymize_ips": True}, {"anonymize_ips": "true"}),
        ({"anonymize_ips": True}, {"anonymize_ips": 1}),
        ({"autocapture_opt_out": None}, {"autocapture_opt_out": ""}),
        ({"access_control": True}, {"access_control": "true"}),
        ({"receive_org_level_activity_logs": False}, {"receive_org_level_activity_logs": "false"}),
        ({"name": "Web"}, {"name": " Web "}),
        ({"app_urls": ["a"]}, {"app_urls": ["a", None, ""]}),
        ({"slack_incoming_webhook": None}, {"slack_incoming_webhook": ""}),
        # JavaScript writes 1.0 as 1, and the database 1e16 as an integer.
        ({"extra_settings": {"a": [1.0]}}, {"extra_settings": {"a": [1]}}),
        ({"extra_settings": {"a": 1e16}}, {"extra_settings": {"a": 1e16}}),
    ],
)
def test_the_same_value_in_another_form_is_no_change(cast: Cast, state: dict, sent: dict):
    caller = cast.caller(cast.carol)
    store(cast.web, **state)
    read, before = shown(caller.get(url(cast, cast.web))), everything()
    response = caller.patch(url(cast, cast.web), sent)
    assert response.status_code == 200
    assert everything() == before
    assert shown(caller.get(url(cast, cast.web))) == read


@pytest.mark.parametrize(
    ("field", "stored", "sent"),
    [
        ("extra_settings", 1, True),
        ("extra_settings", True, 1),
        ("extra_settings", 0, False),
        ("extra_settings", {"a": [True]}, {"a": [1]}),
        ("extra_settings", {"a": 0}, {"a": False}),
        ("survey_config", {"a": 1}, {"a": True}),
        ("extra_settings", "1", 1),
        ("extra_settings", None, False),
        ("extra_settings", {}, []),
        ("extra_settings", "", None),
    ],
)
def test_true_is_not_1(cast: Cast, alice: Caller, field: str, stored: object, sent: object):
    store(cast.web, **{field: stored})
    response = alice.patch(url(cast, cast.web), {field: sent})
    assert (response.status_code, repr(response.json()[field])) == (200, repr(sent))
    assert repr(alice.get(url(cast, cast.web)).json()[field]) == repr(sent)


@pytest.mark.parametrize(
    ("field", "stored", "code", "detail"),
    [
        ("week_start_day", 1, "invalid_choice", '"True" is not a valid choice.'),
        (DURATION, 1, "invalid_input", "A valid integer is required."),
        (RATE, "1.00", "invalid_input", "A valid number is required."),
    ],
)
def test_true_does_not_pass_as_a_stored_1(
    cast: Cast, alice: Caller, field: str, stored: object, code: str, detail: str
):
    store(cast.web, **{field: stored})
    before = everything()
    response = alice.patch(url(cast, cast.web), {field: True})
    assert (response.status_code, response.json()) == (400, invalid(code, detail, field))
    assert everything() == before


@pytest.mark.parametrize(
    ("state", "body"),
    [
        ({"access_control": True}, "access_control=true"),
        ({}, f"{ERRORS}=null"),
        ({"slack_incoming_webhook": "http://localhost/x"}, "slack_incoming_webhook=http://localhost/x"),
        ({"timezone": "Mars/Phobos"}, "timezone=Mars/Phobos"),
        ({"receive_org_level_activity_logs": True}, "receive_org_level_activity_logs=true"),
        ({"modifiers": {"older": 1}}, 'modifiers={"older": 1}'),
    ],
)
def test_a_form_may_send_back_what_is_stored_too(cast: Cast, state: dict, body: str):
    store(cast.web, **state)
    before = everything()
    response = cast.caller(cast.carol).patch(url(cast, cast.web), body, content_type=FORM)
    assert response.status_code == 200
    assert everything() == before
