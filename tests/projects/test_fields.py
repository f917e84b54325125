import re
import uuid

import pytest

from core6.analytics.models import Dashboard
from projects.models import Project
from tests.conftest import Caller, Cast
from tests.support.stored import shown
from tests.support.urls import projects_url as url

READ_ONLY = {
    "id": 987654,
    "organization": "string",
    "created_at": "2001-01-01T00:00:00Z",
    "effective_membership_level": 1,
    "has_group_types": True,
    "group_types": [{"group_type": "mine"}],
    "live_events_token": "mine",
    "updated_at": "2001-01-01T00:00:00Z",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "api_token": "phc_mine",
    "ingested_event": True,
    "person_on_events_querying_enabled": True,
    "default_modifiers": {"debug": True},
    "product_intents": [{"product_type": "surveys"}],
    "secret_api_token": "phs_mine",
    "secret_api_token_backup": "phs_mine",
}


def test_a_new_project_has_the_62_documented_fields_with_their_defaults(cast: Cast, alice: Caller):
    response = alice.post(url(cast), {})
    body = response.json()
    expected = {
        "id": body["id"],
        "organization": str(cast.acme.pk),
        "name": "Default project",
        "product_description": None,
        "created_at": body["created_at"],
        "effective_membership_level": 15,
        "has_group_types": False,
        "group_types": [],
        "live_events_token": body["live_events_token"],
        "updated_at": body["updated_at"],
        "uuid": body["uuid"],
        "api_token": body["api_token"],
        "app_urls": [],
        "slack_incoming_webhook": None,
        "anonymize_ips": False,
        "completed_snippet_onboarding": False,
        "ingested_event": False,
        "test_account_filters": [
            {"key": "email", "operator": "not_icontains", "value": "@example.com", "type": "person"},
            {"key": "$host", "operator": "not_regex", "value": "^(localhost|127\\.0\\.0\\.1)($|:)", "type": "event"},
        ],
        "test_account_filters_default_checked": None,
        "path_cleaning_filters": [],
        "is_demo": False,
        "timezone": "UTC",
        "data_attributes": ["data-attr"],
        "person_display_name_properties": None,
        "correlation_config": {},
        "autocapture_opt_out": None,
        "autocapture_exceptions_opt_in": None,
        "autocapture_web_vitals_opt_in": None,
        "autocapture_web_vitals_allowed_metrics": None,
        "autocapture_exceptions_errors_to_ignore": None,
        "capture_console_log_opt_in": True,
        "capture_performance_opt_in": True,
        "session_recording_opt_in": False,
        "session_recording_sample_rate": None,
        "session_recording_minimum_duration_milliseconds": None,
        "session_recording_linked_flag": None,
        "session_recording_network_payload_capture_config": None,
        "session_recording_masking_config": None,
        "session_replay_config": None,
        "survey_config": None,
        "access_control": False,
        "week_start_day": None,
        "primary_dashboard": Dashboard.objects.get().pk,
        "live_events_columns": None,
        "recording_domains": None,
        "person_on_events_querying_enabled": False,
        "inject_web_apps": None,
        "extra_settings": {"recorder_script": "posthog-recorder"},
        "modifiers": None,
        "default_modifiers": {
            "bounceRateDurationSeconds": None,
            "bounceRatePageViewMode": "count_pageviews",
            "convertToProjectTimezone": None,
            "customChannelTypeRules": None,
            "dataWarehouseEventsModifiers": None,
            "debug": None,
            "formatCsvAllowDoubleQuotes": None,
            "inCohortVia": "auto",
            "materializationMode": "legacy_null_as_null",
            "materializedColumnsOptimizationMode": None,
            "optimizeJoinedFilters": False,
            "optimizeProjections": None,
            "personsArgMaxVersion": "auto",
            "personsJoinMode": None,
            "personsOnEventsMode": "disabled",
            "propertyGroupsMode": None,
            "s3TableUseInvalidColumns": None,
            "sessionTableVersion": "auto",
            "sessionsV2JoinMode": "string",
            "timings": None,
            "useMaterializedViews": None,
            "usePreaggregatedIntermediateResults": None,
            "usePreaggregatedTableTransforms": None,
            "usePresortedEventsTable": None,
            "useWebAnalyticsPreAggregatedTables": None,
        },
        "has_completed_onboarding_for": None,
        "surveys_opt_in": None,
        "heatmaps_opt_in": None,
        "product_intents": [],
        "flags_persistence_default": False,
        "secret_api_token": None,
        "secret_api_token_backup": None,
        "receive_org_level_activity_logs": False,
        "business_model": None,
        "conversations_enabled": None,
        "conversations_settings": None,
        "logs_settings": None,
    }
    assert response.status_code == 201
    assert len(expected) == 62
    assert list(body) == list(expected)
    assert body == expected


def test_generated_fields_have_their_forms(cast: Cast, alice: Caller):
    body = alice.post(url(cast), {}).json()
    assert re.fullmatch(r"phc_[0-9A-Za-z]{40,43}", body["api_token"])
    assert uuid.UUID(body["uuid"]).version == 7
    for name in ("created_at", "updated_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", body[name])


def test_a_new_project_reads_as_it_was_answered(cast: Cast, alice: Caller):
    created = alice.post(url(cast), {"name": "New", "app_urls": ["https://example.com"]})
    project = Project.objects.get(name="New")
    assert shown(alice.get(url(cast, project))) == shown(created)


@pytest.mark.parametrize("name", READ_ONLY)
def test_a_read_only_field_is_ignored_on_create(cast: Cast, alice: Caller, name: str):
    response = alice.post(url(cast), {name: READ_ONLY[name]})
    assert response.status_code == 201
    assert response.json()[name] != READ_ONLY[name]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_read_only_and_unknown_fields_are_ignored_on_update(cast: Cast, alice: Caller, method: str):
    before = alice.get(url(cast, cast.web))
    response = alice.request(method, url(cast, cast.web), {**READ_ONLY, "nonsense": 1})
    assert response.status_code == 200
    assert shown(response) == shown(before)
    assert shown(alice.get(url(cast, cast.web))) == shown(before)
