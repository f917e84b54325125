"""One activity of everything that anyone changed, by API, console and command; a history is a filter of it."""

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.test import Client

from cohorts.models import Cohort
from core6.accounts.models import Level, Membership, Organization, PersonalAPIKey, User
from core6.activity.models import ActivityLog
from roles.models import Role
from tests.conftest import Cast
from tests.console.conftest import Console, address, place

PASSWORD = "a long and lovely password"  # of a test


def rows(scope: str) -> list[tuple[str, str, str, Any]]:
    """Return the changes of a scope, oldest first: by whom, what, its name, the changed fields with their values."""
    found = ActivityLog.objects.filter(scope=scope).order_by("id").select_related("user")
    return [
        (
            row.user.email if row.user else "",
            row.activity,
            row.detail["name"],
            {each["field"]: (each["before"], each["after"]) for each in row.detail["changes"] or []},
        )
        for row in found
    ]


def test_a_key_that_is_made_and_revoked_in_the_console(console: Console, cast: Cast):
    made = console.fill(place(PersonalAPIKey, "add/"), user=cast.bob.pk, label="ci", scopes=["*"])
    assert made.status_code == 200
    key = PersonalAPIKey.objects.get(label="ci")
    assert console.client.post(address(key, "delete"), {"post": "yes"}).status_code == 302
    name = "ci of bob@example.com"
    assert rows("PersonalAPIKey") == [
        ("alice@example.com", "created", name, {}),
        ("alice@example.com", "revoked", name, {}),
    ]
    assert key.secure_value not in json.dumps(list(ActivityLog.objects.values_list("detail", flat=True)))


def test_a_key_that_is_revoked_with_others(console: Console, cast: Cast):
    cast.key(cast.carol)
    chosen = {"action": "delete_selected", "_selected_action": PersonalAPIKey.objects.get().pk, "post": "yes"}
    assert console.client.post(place(PersonalAPIKey), chosen).status_code == 302
    assert [row[:2] for row in rows("PersonalAPIKey")] == [("alice@example.com", "revoked")]


def test_a_key_that_is_made_and_revoked_by_a_command(committed_cast: Cast):
    call_command("create_api_key", user="carol@example.com", label="cron", scopes="*")
    call_command("create_api_key", user="carol@example.com", label="other", scopes="*")
    call_command("revoke_api_key", user="carol@example.com", label="cron")
    assert rows("PersonalAPIKey") == [
        ("", "created", "cron of carol@example.com", {}),
        ("", "created", "other of carol@example.com", {}),
        ("", "revoked", "cron of carol@example.com", {}),
    ]


def test_members_of_an_organization(console: Console, cast: Cast):
    added = {"memberships-2-0-user": cast.dave.pk, "memberships-2-0-level": Level.MEMBER.value}
    assert console.fill(address(cast.acme), **added).status_code == 302
    assert console.fill(address(cast.acme), **{"memberships-3-level": Level.ADMIN.value}).status_code == 302
    assert console.fill(address(cast.acme), **{"memberships-3-DELETE": "on"}).status_code == 302
    name = "Acme: dave@example.com"
    assert rows("OrganizationMembership") == [
        ("alice@example.com", "created", name, {}),
        ("alice@example.com", "updated", name, {"level": (1, 8)}),
        ("alice@example.com", "deleted", name, {}),
    ]
    owners = ActivityLog.objects.filter(scope="OrganizationMembership").values_list("organization", flat=True)
    assert set(owners) == {cast.acme.pk}


def test_a_member_of_a_role_is_logged_alike_by_api_and_console(console: Console, cast: Cast):
    role = Role.objects.create(organization=cast.acme, name="Engineering")
    bob, carol = (Membership.objects.get(organization=cast.acme, user=user) for user in (cast.bob, cast.carol))
    path = f"/api/organizations/{cast.acme.pk}/roles/{role.pk}/role_memberships/"
    made = cast.caller(cast.alice).post(path, {"user_uuid": str(cast.bob.uuid)})
    assert made.status_code == 201, made.json()
    assert console.fill(address(role), **{"members-2-0-organization_member": carol.pk}).status_code == 302
    assert cast.caller(cast.alice).delete(f"{path}{made.json()['id']}/").status_code == 204
    assert console.fill(address(role), **{"members-0-DELETE": "on"}).status_code == 302
    assert [row[:3] for row in rows("RoleMembership")] == [
        ("alice@example.com", verb, f"Engineering: {member.user}")
        for verb, member in (("created", bob), ("created", carol), ("deleted", bob), ("deleted", carol))
    ]


def test_users_organizations_and_roles(console: Console, cast: Cast):
    assert console.fill(address(cast.bob), first_name="Robert", is_staff="on").status_code == 302
    given = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    path = address(cast.bob).replace("/change/", "/password/")
    assert console.client.post(path, given).status_code == 302
    assert rows("User") == [
        *(
            (
                "alice@example.com",
                "updated",
                "bob@example.com",
                {"first_name": ("Bob", "Robert"), "is_staff": (False, True)},
            ),
            ("alice@example.com", "password_changed", "bob@example.com", {}),
        )
    ]
    new = {"email": "erin@example.com", "password1": PASSWORD, "password2": PASSWORD}
    assert console.fill(place(User, "add/"), **new).status_code == 302
    assert rows("User")[-1] == ("alice@example.com", "created", "erin@example.com", {})
    assert PASSWORD not in json.dumps(list(ActivityLog.objects.values_list("detail", flat=True)))
    assert console.fill(address(cast.acme), name="Acme Ltd").status_code == 302
    assert rows("Organization") == [("alice@example.com", "updated", "Acme Ltd", {"name": ("Acme", "Acme Ltd")})]
    assert console.fill(place(Role, "add/"), organization=cast.acme.pk, name="Sales").status_code == 302
    role = Role.objects.get(name="Sales")
    assert console.client.post(address(role, "delete"), {"post": "yes"}).status_code == 302
    assert [row[1:3] for row in rows("Role")] == [("created", "Sales"), ("deleted", "Sales")]


def test_no_other_log_is_kept(console: Console, cast: Cast):
    console.fill(address(cast.web), name="Website")
    console.press(cast.web, "reset_token")
    console.fill(address(cast.acme), name="Acme Ltd")
    assert not LogEntry.objects.exists()
    assert ActivityLog.objects.count() == 3


def test_a_history_is_the_activity_of_that_object(console: Console, cast: Cast):
    cast.caller(cast.bob).patch(f"/api/projects/{cast.web.pk}/", {"name": "By the API"})
    console.fill(address(cast.web), name="By the console")
    console.press(cast.web, "reset_token")
    console.fill(address(cast.app), name="Another")
    answer = console.client.get(address(cast.web, "history"), follow=True)
    shown = answer.context["cl"].result_list
    assert [(row.item_id, row.scope) for row in shown] == [
        (str(cast.web.pk), scope) for scope in ("Team", "Project", "Project")
    ]
    assert "The history of one object." in answer.content.decode()
    page = console.read(place(ActivityLog))
    assert "The history of one object." not in page
    assert "project settings" in page


def test_a_calculation_that_is_requested(console: Console, cast: Cast):
    cohort = Cohort.objects.create(project=cast.web, name="Some")
    assert console.press(cohort, "recalculate").status_code == 302
    assert [row[:3] for row in rows("Cohort")] == [("alice@example.com", "calculation_requested", "Some")]


def test_what_the_console_noted_before_is_copied_once(console: Console, cast: Cast):
    key = PersonalAPIKey.objects.get(
        secure_value=PersonalAPIKey.objects.create(user=cast.bob, label="old", secure_value="x").secure_value
    )
    LogEntry.objects.log_actions(cast.alice.pk, [key], 3, single_object=True)
    LogEntry.objects.log_actions(cast.alice.pk, [cast.web], 2, single_object=True)
    migration = MigrationLoader(connection).get_migration("activity", "0005_history_of_the_console")
    for _ in range(2):
        with connection.cursor() as cursor:
            cursor.execute(migration.operations[0].sql)  # type: ignore[attr-defined]  # RunSQL's
    (row,) = ActivityLog.objects.all()
    noted = LogEntry.objects.earliest("pk")
    assert (row.scope, row.activity, row.item_id, row.user) == ("PersonalAPIKey", "revoked", key.pk, cast.alice)
    assert (row.detail["name"], row.created_at, row.organization) == ("old", noted.action_time, None)
    assert "revoked" in console.read(place(ActivityLog))


@pytest.mark.parametrize("model", [ActivityLog, PersonalAPIKey, Organization])
def test_dave_who_has_no_right_sees_no_activity(cast: Cast, model: type[Any]):
    browser = Client()
    browser.force_login(cast.dave)
    assert browser.get(place(model)).status_code == 302


def test_dave_sees_no_activity_of_acme_by_the_api(console: Console, cast: Cast):
    console.fill(address(cast.web), name="Website")
    cast.key(cast.alice)
    answer = cast.caller(cast.dave).get(f"/api/projects/{cast.web.pk}/activity/")
    assert answer.status_code == 404
