import pytest

from core6.accounts.models import User
from core6.activity.models import ActivityLog
from core6.analytics.models import Dashboard
from projects.models import Project
from tests.conftest import Caller, Cast, invalid
from tests.support.stored import everything, shown
from tests.support.urls import projects_url as url

HOST = {"key": "$host", "operator": "not_regex", "value": "^(localhost|127\\.0\\.0\\.1)($|:)", "type": "event"}


def own(domain: str) -> dict:
    return {"key": "email", "operator": "not_icontains", "value": f"@{domain}", "type": "person"}


@pytest.mark.parametrize(
    ("emails", "filters"),
    [
        (["alice@acme.example", "bob@other.example", "carol@gmail.com"], [own("acme.example"), HOST]),
        (["alice@gmail.com", "bob@hotmail.com", "carol@acme.example"], [own("acme.example"), HOST]),
        (["Alice@ACME.example", "bob@gmail.com", "carol@gmail.com"], [own("acme.example"), HOST]),
        (["alice@gmail.com", "bob@outlook.com", "carol@proton.me"], [HOST]),
        (["Alice@GMAIL.com", "bob@Yahoo.com", "carol@icloud.com"], [HOST]),
        (["alice@mail.gmail.com.example", "bob@gmail.com", "carol@web.de"], [own("mail.gmail.com.example"), HOST]),
    ],
)
def test_filters_of_test_accounts_leave_the_organizations_own_people_out(
    cast: Cast, alice: Caller, emails: list[str], filters: list[dict]
):
    for user, email in zip((cast.alice, cast.bob, cast.carol), emails, strict=True):
        User.objects.filter(pk=user.pk).update(email=email)
    assert alice.post(url(cast), {}).json()["test_account_filters"] == filters


def test_generated_filters_win_over_those_of_the_body(cast: Cast, alice: Caller):
    created = alice.post(url(cast), {"test_account_filters": [{"key": "mine"}]}).json()
    assert created["test_account_filters"] == [own("example.com"), HOST]


def test_a_new_project_has_a_primary_dashboard(cast: Cast, alice: Caller):
    created = alice.post(url(cast), {}).json()
    dashboard = Dashboard.objects.get()
    assert (dashboard.name, dashboard.project_id, dashboard.deleted) == ("My App Dashboard", created["id"], False)
    assert created["primary_dashboard"] == dashboard.pk


def test_the_creator_looks_at_the_new_project_from_now_on(cast: Cast):
    User.objects.update(current_project=cast.globex_web, current_organization=cast.globex)
    created = cast.caller(cast.bob).post(url(cast), {}).json()
    cast.bob.refresh_from_db()
    cast.alice.refresh_from_db()
    assert (cast.bob.current_project_id, cast.bob.current_organization_id) == (created["id"], cast.acme.pk)
    assert cast.alice.current_project == cast.globex_web
    assert cast.caller(cast.bob).get("/api/organizations/@current/projects/@current/").json()["id"] == created["id"]


def test_a_new_project_has_one_entry_for_each_scope(cast: Cast):
    created = cast.caller(cast.bob).post(url(cast), {"name": "New"}).json()
    rows = ActivityLog.objects.order_by("scope").values(
        "organization_id", "project_id", "user_id", "scope", "item_id", "activity", "detail"
    )
    common = {
        "organization_id": cast.acme.pk,
        "project_id": created["id"],
        "user_id": cast.bob.pk,
        "item_id": str(created["id"]),
        "activity": "created",
        "detail": {"changes": None, "name": "New"},
    }
    assert list(rows) == [{**common, "scope": "Project"}, {**common, "scope": "Team"}]


def test_every_kind_of_field_can_be_set_on_creation(cast: Cast, alice: Caller):
    sent = {
        "name": "New",
        "product_description": "A shop",
        "app_urls": ["https://example.com"],
        "anonymize_ips": True,
        "timezone": "Europe/Berlin",
        "session_recording_sample_rate": "0.25",
        "session_replay_config": {"record_canvas": True},
        "survey_config": {"appearance": {"color": "red"}},
        "access_control": False,
        "week_start_day": 1,
        "recording_domains": ["https://example.com"],
        "modifiers": {"debug": True},
        "receive_org_level_activity_logs": True,
        "business_model": "b2b",
        "logs_settings": {"retention_days": 14},
    }
    response = alice.post(url(cast), sent)
    assert response.status_code == 201
    assert {name: response.json()[name] for name in sent} == sent


def test_two_projects_may_have_one_name(cast: Cast, alice: Caller):
    assert alice.post(url(cast), {"name": "Web"}).status_code == 201
    assert Project.objects.filter(organization=cast.acme, name="Web").count() == 2


def test_a_dashboard_cannot_be_chosen_on_creation(cast: Cast, alice: Caller):
    dashboard = Dashboard.objects.create(project=cast.web)
    before = everything()
    response = alice.post(url(cast), {"primary_dashboard": dashboard.pk})
    refusal = invalid("invalid_input", "Primary dashboard cannot be set on project creation.", "primary_dashboard")
    assert (response.status_code, response.json()) == (400, refusal)
    assert everything() == before


def test_the_servers_own_keys_are_not_taken_from_the_body(cast: Cast, alice: Caller):
    created = alice.post(
        url(cast),
        {
            "conversations_settings": {"color": "red", "widget_public_token": "mine"},
            "logs_settings": {"retention_days": 14, "retention_last_updated": "2001-01-01T00:00:00Z"},
        },
    ).json()
    assert created["conversations_settings"] == {"color": "red"}
    assert created["logs_settings"] == {"retention_days": 14}


def test_the_pages_curl_line_is_a_form_under_a_json_content_type(cast: Cast, alice: Caller):
    response = alice.post(url(cast), "name=string&organization=string")
    assert (response.status_code, response.json()["name"]) == (201, "string")
    like_json = alice.post(url(cast), {"name": "string"})
    own_values = ("id", "uuid", "api_token", "created_at", "updated_at", "primary_dashboard")
    assert {**shown(response), **dict.fromkeys(own_values)} == {**shown(like_json), **dict.fromkeys(own_values)}
