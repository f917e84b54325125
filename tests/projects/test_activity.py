import json
from typing import Any

import pytest

from core6.activity.models import ActivityLog
from core6.analytics.models import Dashboard
from tests.conftest import Caller, Cast, missing
from tests.support.stored import DURATION, RATE, store
from tests.support.urls import projects_url as url


def rows(**filters: Any) -> list[dict[str, Any]]:
    fields = ("organization_id", "project_id", "user_id", "scope", "item_id", "activity", "detail")
    found: Any = ActivityLog.objects.filter(**filters).order_by("scope", "pk").values(*fields)
    return list(found)


def changes(**filters: Any) -> list[dict[str, Any]]:
    return [entry for row in rows(**filters) for entry in row["detail"]["changes"]]


def entry(action: str, field: str, before: object, after: object, kind: str = "Team") -> dict[str, Any]:
    return {"type": kind, "action": action, "field": field, "before": before, "after": after}


def test_a_change_has_one_entry_for_each_scope(cast: Cast):
    body = {"name": "Shop", "product_description": "Sells", "timezone": "EST", "survey_config": {"a": 1}}
    cast.caller(cast.bob).patch(url(cast, cast.web), body)
    common = {
        "organization_id": cast.acme.pk,
        "project_id": cast.web.pk,
        "user_id": cast.bob.pk,
        "item_id": str(cast.web.pk),
        "activity": "updated",
    }
    own = [
        entry("changed", "name", "Web", "Shop", "Project"),
        entry("created", "product_description", None, "Sells", "Project"),
    ]
    team = [entry("changed", "timezone", "UTC", "EST"), entry("created", "survey_config", None, {"a": 1})]
    survey = {"changes": team[1:], "name": "global survey appearance"}
    assert rows() == [
        {**common, "scope": "Project", "detail": {"changes": own, "name": "Shop"}},
        {**common, "scope": "Survey", "item_id": "#", "detail": survey},
        {**common, "scope": "Team", "detail": {"changes": team, "name": "Shop"}},
    ]


@pytest.mark.parametrize(
    ("sent", "scopes"),
    [
        ({"name": "Shop"}, ["Project"]),
        ({"product_description": "Sells"}, ["Project"]),
        ({"timezone": "EST"}, ["Team"]),
        ({"survey_config": {"a": 1}}, ["Survey", "Team"]),
        ({"name": "Shop", "timezone": "EST"}, ["Project", "Team"]),
        ({}, []),
        ({"name": "Web", "timezone": "UTC", "survey_config": None, "app_urls": []}, []),
        ({"id": 5, "api_token": "phc_mine", "nonsense": 1}, []),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_scope_without_changes_has_no_row(cast: Cast, alice: Caller, method: str, sent: dict, scopes: list[str]):
    assert alice.request(method, url(cast, cast.web), sent).status_code == 200
    assert [row["scope"] for row in rows()] == scopes


@pytest.mark.parametrize(
    ("stored", "sent", "expected"),
    [
        ({RATE: None}, {RATE: 0.4}, entry("created", RATE, None, "0.4")),
        ({RATE: "0.40"}, {RATE: "1"}, entry("changed", RATE, "0.4", "1")),
        ({RATE: "1.00"}, {RATE: "0.25"}, entry("changed", RATE, "1", "0.25")),
        ({RATE: "0.25"}, {RATE: None}, entry("deleted", RATE, "0.25", None)),
        ({RATE: "0.25"}, {RATE: 0}, entry("changed", RATE, "0.25", "0")),
        ({RATE: "0.00"}, {RATE: "0.5"}, entry("changed", RATE, "0", "0.5")),
        ({RATE: "0.00"}, {RATE: None}, entry("deleted", RATE, "0", None)),
        ({DURATION: None}, {DURATION: 0}, entry("created", DURATION, None, 0)),
        ({DURATION: 0}, {DURATION: None}, entry("deleted", DURATION, 0, None)),
        ({}, {"surveys_opt_in": False}, entry("created", "surveys_opt_in", None, False)),
        ({"surveys_opt_in": False}, {"surveys_opt_in": None}, entry("deleted", "surveys_opt_in", False, None)),
        ({}, {"anonymize_ips": True}, entry("changed", "anonymize_ips", False, True)),
        ({}, {"app_urls": ["a", None]}, entry("changed", "app_urls", [], ["a"])),
        ({}, {"slack_incoming_webhook": ""}, None),
        # Of a merged object the whole is entered.
        (
            {"modifiers": {"debug": True}},
            {"modifiers": {"timings": True}},
            entry("changed", "modifiers", {"debug": True}, {"debug": True, "timings": True}),
        ),
        ({"modifiers": {"debug": True}}, {"modifiers": None}, entry("deleted", "modifiers", {"debug": True}, None)),
    ],
)
def test_a_change_of_a_field_is_entered_as_expected(
    cast: Cast, alice: Caller, stored: dict, sent: dict, expected: dict | None
):
    store(cast.web, **stored)
    assert alice.patch(url(cast, cast.web), sent).status_code == 200
    assert changes() == ([expected] if expected else [])


def test_dashboards_are_entered_by_their_ids(cast: Cast, alice: Caller):
    one, other = (Dashboard.objects.create(project=cast.web).pk for _ in range(2))
    for dashboard in (one, other, None):
        alice.patch(url(cast, cast.web), {"primary_dashboard": dashboard})
    assert changes() == [
        entry("created", "primary_dashboard_id", None, one),
        entry("changed", "primary_dashboard_id", one, other),
        entry("deleted", "primary_dashboard_id", other, None),
    ]


def test_the_token_of_conversations_is_entered_masked(cast: Cast, alice: Caller):
    for switch in (True, False):
        alice.patch(url(cast, cast.web), {"conversations_enabled": switch})
    entries = [entry for entry in changes() if entry["field"] == "conversations_settings"]
    mask = entries[0]["after"]["widget_public_token"]
    assert len(mask) == 11
    assert mask[4:7] == "..."
    assert entries == [
        entry("created", "conversations_settings", None, {"widget_public_token": mask}),
        entry("changed", "conversations_settings", {"widget_public_token": mask}, {"widget_public_token": None}),
    ]


def test_no_row_holds_a_secret(cast: Cast, alice: Caller):
    secrets: set[Any] = set()
    for method, action, body in (
        ("PATCH", "", {"conversations_enabled": True}),
        ("PATCH", "", {"conversations_settings": {"color": "red"}}),
        ("PATCH", "rotate_secret_token/", {}),
        ("PATCH", "rotate_secret_token/", {}),
        ("PATCH", "delete_secret_token_backup/", {}),
        ("POST", "generate_conversations_public_token/", {"conversations_settings": {"color": "blue"}}),
        ("PATCH", "", {"conversations_enabled": False, "conversations_settings": {"color": "green"}}),
        ("DELETE", "", {}),
    ):
        response = alice.request(method, url(cast, cast.web, action), body)
        shown = response.json() if response.content else {}
        secrets |= {shown.get("secret_api_token"), shown.get("secret_api_token_backup")}
        secrets.add((shown.get("conversations_settings") or {}).get("widget_public_token"))
        # The rows go with the project, so they are looked at after each step.
        text = json.dumps(rows(), default=str)
        assert not [secret for secret in secrets - {None} if secret in text]
    assert len(secrets - {None}) == 4


def test_a_refused_change_has_no_entry(cast: Cast, alice: Caller):
    alice.patch(url(cast, cast.web), {"name": "Shop", "timezone": "Mars/Phobos"})
    alice.patch(url(cast, cast.web), {"name": "Shop", "autocapture_exceptions_errors_to_ignore": 5})
    alice.post(url(cast), {"timezone": "Mars/Phobos"})
    cast.caller(cast.carol).delete(url(cast, cast.web))
    assert rows() == []


def test_of_a_deleted_project_the_deletion_stays_with_the_organization(cast: Cast, alice: Caller):
    pk = str(cast.web.pk)
    alice.patch(url(cast, cast.web), {"timezone": "EST"})
    assert alice.delete(url(cast, cast.web)).status_code == 204
    common = {
        "organization_id": cast.acme.pk,
        "project_id": None,
        "user_id": cast.alice.pk,
        "item_id": pk,
        "activity": "deleted",
        "detail": {"changes": None, "name": "Web"},
    }
    assert rows(activity="deleted") == [{**common, "scope": "Project"}, {**common, "scope": "Team"}]
    gone = alice.get(url(cast, cast.web, "activity/"))
    assert (gone.status_code, gone.json()) == (404, missing())
