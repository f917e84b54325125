"""The page's own curl lines, each joined onto one line, host and key filled in, give the page's answers."""

import shlex
from dataclasses import dataclass
from typing import Any

import pytest

from annotations.models import Annotation
from cohorts.models import Cohort
from core6.analytics.models import Dashboard, Insight
from roles.models import Role
from tests.conftest import Caller, Cast

USER = {
    "id": 0,
    "uuid": "095be615-a8ad-4c33-8e9c-c7612fbf6c9f",
    "distinct_id": "string",
    "first_name": "string",
    "last_name": "string",
    "email": "user@example.com",
    "is_email_verified": True,
    "hedgehog_config": {"property1": None, "property2": None},
    "role_at_organization": "engineering",
}
ANNOTATION = {
    "id": 0,
    "content": "string",
    "date_marker": "2019-08-24T14:15:22Z",
    "creation_type": "USR",
    "dashboard_item": 0,
    "dashboard_id": 0,
    "dashboard_name": "string",
    "insight_short_id": "string",
    "insight_name": "string",
    "insight_derived_name": "string",
    "created_by": USER,
    "created_at": "2019-08-24T14:15:22Z",
    "updated_at": "2019-08-24T14:15:22Z",
    "deleted": True,
    "scope": "dashboard_item",
}
# `members` and `is_default` have their real types, which the page prints as "string" (D1).
ROLE = {
    "id": "497f6eca-6276-4993-bfeb-53cbbbba6f08",
    "name": "string",
    "created_at": "2019-08-24T14:15:22Z",
    "created_by": USER,
    "members": [],
    "is_default": True,
}
PROJECT_KEYS = """
    id organization name product_description created_at effective_membership_level has_group_types group_types
    live_events_token updated_at uuid api_token app_urls slack_incoming_webhook anonymize_ips
    completed_snippet_onboarding ingested_event test_account_filters test_account_filters_default_checked
    path_cleaning_filters is_demo timezone data_attributes person_display_name_properties correlation_config
    autocapture_opt_out autocapture_exceptions_opt_in autocapture_web_vitals_opt_in
    autocapture_web_vitals_allowed_metrics autocapture_exceptions_errors_to_ignore capture_console_log_opt_in
    capture_performance_opt_in session_recording_opt_in session_recording_sample_rate
    session_recording_minimum_duration_milliseconds session_recording_linked_flag
    session_recording_network_payload_capture_config session_recording_masking_config session_replay_config
    survey_config access_control week_start_day primary_dashboard live_events_columns recording_domains
    person_on_events_querying_enabled inject_web_apps extra_settings modifiers default_modifiers
    has_completed_onboarding_for surveys_opt_in heatmaps_opt_in product_intents flags_persistence_default
    secret_api_token secret_api_token_backup receive_org_level_activity_logs business_model conversations_enabled
    conversations_settings logs_settings
""".split()
#: The page shows no shape of what a key of a project holds.
PROJECT = dict.fromkeys(PROJECT_KEYS)
COHORT = {
    "id": 0,
    "name": "string",
    "description": "string",
    "groups": None,
    "deleted": True,
    "filters": None,
    "query": None,
    "version": 0,
    "pending_version": 0,
    "is_calculating": True,
    "created_by": USER,
    "created_at": "2019-08-24T14:15:22Z",
    "last_calculation": "2019-08-24T14:15:22Z",
    "errors_calculating": 0,
    "last_error_message": "string",
    "count": 0,
    "is_static": True,
    "cohort_type": "static",
    "experiment_set": [0],
    "_create_in_folder": "string",
    "_create_static_person_ids": ["string"],
}


def page_of(item: dict[str, Any]) -> dict[str, Any]:
    return {"count": 123, "next": "http://…", "previous": "http://…", "results": [item]}


def act(name: str, options: str) -> str:
    return f'curl{options} {KEY} {PROJECTS}{name}/ -d organization="string"'


KEY = '-H "Authorization: Bearer $POSTHOG_PERSONAL_API_KEY"'
JSON = "-H 'Content-Type: application/json'"
PROJECTS = "<ph_app_host>/api/organizations/:organization_id/projects/:id/"
COHORTS = "<ph_app_host>/api/projects/:project_id/cohorts/"
ROLES = "<ph_app_host>/api/organizations/:organization_id/roles/"
ANNOTATIONS = "<ph_app_host>/api/projects/:project_id/annotations/"
PAGE = {
    "List all cohorts": (f"curl {KEY} {COHORTS}", 200, page_of(COHORT)),
    "Create cohorts": (f'curl {JSON} {KEY} {COHORTS} -d name="string"', 201, COHORT),
    "Update complete product onboarding": (act("complete_product_onboarding", " -X PATCH"), 200, PROJECT),
    "Update delete secret token backup": (act("delete_secret_token_backup", " -X PATCH"), 200, PROJECT),
    "Create generate conversations public token": (
        act("generate_conversations_public_token", f" {JSON}"),
        200,
        PROJECT,
    ),
    "Retrieve is generating demo data": (
        f"curl {KEY} {PROJECTS}is_generating_demo_data/",
        200,
        {**PROJECT, "is_generating_demo_data": None},
    ),
    "Update reset token": (act("reset_token", " -X PATCH"), 200, PROJECT),
    "Update rotate secret token": (act("rotate_secret_token", " -X PATCH"), 200, PROJECT),
    "List all roles": (f"curl {KEY} {ROLES}", 200, page_of(ROLE)),
    "Create roles": (f'curl {JSON} {KEY} {ROLES} -d name="string"', 201, ROLE),
    "Retrieve roles": (f"curl {KEY} {ROLES}:id/", 200, ROLE),
    "Update roles": (f'curl -X PATCH {KEY} {ROLES}:id/ -d name="string"', 200, ROLE),
    "Delete roles": (f"curl -X DELETE {KEY} {ROLES}:id/", 204, None),
    "List all annotations": (f"curl {KEY} {ANNOTATIONS}", 200, page_of(ANNOTATION)),
    "Create annotations": (f'curl {JSON} {KEY} {ANNOTATIONS} -d content="string"', 201, ANNOTATION),
    "Retrieve annotations": (f"curl {KEY} {ANNOTATIONS}:id/", 200, ANNOTATION),
    "Update annotations": (f'curl -X PATCH {KEY} {ANNOTATIONS}:id/ -d content="string"', 200, ANNOTATION),
    "Delete annotations": (f"curl -X DELETE {KEY} {ANNOTATIONS}:id/", 405, None),
}


@dataclass
class CurlRequest:
    """What curl would send for a line."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


def read_curl(line: str) -> CurlRequest:
    words = iter(shlex.split(line)[1:])
    method, url, headers, body = "", "", {}, ""
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(words)
        else:
            url = word
    if body:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    path = "/" + url.split("/", 3)[3]
    return CurlRequest(method or ("POST" if body else "GET"), path, headers, body)


def assert_same_keys(answer: Any, example: Any) -> None:
    """Hold the keys of an answer, in their order, against the page's at every depth that the page shows."""
    if isinstance(example, dict):
        assert list(answer) == list(example)
        for key, item in example.items():
            if key != "hedgehog_config":  # the page invents the keys of the one free-form object
                assert_same_keys(answer[key], item)
    elif isinstance(example, list):
        for each in answer:
            assert_same_keys(each, example[0] if example else None)


def base(line: str) -> str:
    return next(each for each in (PROJECTS, ROLES, ANNOTATIONS, COHORTS) if each in line)


@pytest.mark.parametrize("title", PAGE)
def test_a_curl_line_of_the_page(cast: Cast, nobody: Caller, title: str):
    line, status, example = PAGE[title]
    note = Annotation.objects.create(
        organization=cast.acme,
        project=cast.web,
        created_by=cast.alice,
        dashboard=Dashboard.objects.create(project=cast.web),
        dashboard_item=Insight.objects.create(project=cast.web),
    )
    cohort = Cohort.objects.create(project=cast.web, created_by=cast.alice)
    role = Role.objects.create(organization=cast.acme, name="Sales", created_by=cast.alice)
    line = line.replace("<ph_app_host>", "http://testserver").replace("$POSTHOG_PERSONAL_API_KEY", cast.key(cast.alice))
    ids = {
        ":organization_id": cast.acme.pk,
        ":project_id": cast.web.pk,
        ":id": {PROJECTS: cast.web.pk, ROLES: role.pk, ANNOTATIONS: note.pk, COHORTS: cohort.pk}[base(PAGE[title][0])],
    }
    for name, value in ids.items():
        line = line.replace(name, str(value))
    sent = read_curl(line)
    content_type = sent.headers.pop("Content-Type", "")
    response = nobody.request(sent.method, sent.path, sent.body, content_type=content_type, headers=sent.headers)
    assert response.status_code == status
    if example is None:
        assert response.content == b""
    else:
        assert_same_keys(response.json(), example)
        assert "created_by" not in response.json() or response.json()["created_by"]["email"] == "alice@example.com"
