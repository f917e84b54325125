"""Users, organizations with members, roles and keys: made, changed and taken away in the console."""

import re
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core6.accounts.models import Level, Membership, Organization, PersonalAPIKey, User
from core6.api.viewsets import ScopedViewSet
from core6.console.api_keys import SCOPED
from core6.security.masking import mask_key
from roles.models import Role, RoleMembership
from tests.conftest import Caller, Cast
from tests.console.conftest import Console, address, errors, place

PASSWORD = "a long and lovely password"  # of a test
ADD_USER = place(User, "add/")


def test_a_user_is_made_who_can_log_in(console: Console):
    given = {"email": "erin@example.com", "first_name": "Erin", "password1": PASSWORD, "password2": PASSWORD}
    assert console.fill(ADD_USER, **given, is_staff="on").status_code == 302
    erin = User.objects.get(email="erin@example.com")
    assert (erin.first_name, erin.is_active, erin.is_staff, erin.check_password(PASSWORD)) == ("Erin", True, True, True)


def test_a_user_needs_no_password(console: Console):
    assert console.fill(ADD_USER, email="erin@example.com", usable_password="false").status_code == 302
    assert not User.objects.get(email="erin@example.com").has_usable_password()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"email": "ALICE@example.com"}, "There is already a user with this email."),
        ({"email": "no email"}, "Enter a valid email address."),
        ({"email": "erin@example.com", "password2": "another"}, "The two password fields"),
        ({"email": "erin@example.com", "password1": "short", "password2": "short"}, "at least 12 characters"),
    ],
)
def test_a_user_who_cannot_be_is_refused(console: Console, changes: dict[str, str], complaint: str):
    before = User.objects.count()
    given = {"password1": PASSWORD, "password2": PASSWORD, **changes}
    assert complaint in errors(console.fill(ADD_USER, **given))
    assert User.objects.count() == before


def test_a_user_is_deactivated_and_so_is_the_key(console: Console, cast: Cast):
    bob = cast.caller(cast.bob)
    assert bob.get("/api/users/@me/").status_code == 200
    assert console.fill(address(cast.bob), is_active=None).status_code == 302
    assert bob.get("/api/users/@me/").status_code == 401


def test_a_form_writes_what_was_changed_and_no_more(console: Console, cast: Cast):
    with CaptureQueriesContext(connection) as queries:
        assert console.fill(address(cast.bob), first_name="Robert").status_code == 302
    (written,) = [each["sql"] for each in queries if each["sql"].startswith('UPDATE "accounts_user"')]
    assert re.findall(r'"(\w+)" = ', written.partition(" WHERE ")[0]) == ["first_name"]


def test_a_password_is_changed_and_ends_the_sessions(console: Console, cast: Cast):
    bob = Console(cast.bob)
    given = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    answer = console.client.post(address(cast.bob).replace("/change/", "/password/"), given)
    assert answer.status_code == 302
    cast.bob.refresh_from_db()
    assert cast.bob.check_password(PASSWORD)
    assert bob.get("/admin/").status_code == 302
    assert Session.objects.exists()


def test_an_organization_is_made_with_its_owner(console: Console, cast: Cast):
    given = {"name": "Initech", "memberships-0-user": cast.bob.pk, "memberships-0-level": Level.OWNER.value}
    assert console.fill(place(Organization, "add/"), **given).status_code == 302
    made = Membership.objects.get(organization__name="Initech")
    assert (made.user, made.level) == (cast.bob, Level.OWNER)


@pytest.mark.parametrize("level", [None, Level.ADMIN.value])
def test_an_organization_without_an_owner_is_refused(console: Console, cast: Cast, level: int | None):
    given = {"name": "Initech", "memberships-0-level": level, "memberships-0-user": cast.bob.pk if level else None}
    refused = console.fill(place(Organization, "add/"), **given)
    assert "An organization needs an owner: make a member the owner first." in errors(refused)
    assert not Organization.objects.filter(name="Initech").exists()


def test_a_list_of_organizations_counts_members_and_projects(console: Console, cast: Cast):
    rows = console.get(place(Organization)).context["cl"].result_list
    assert [(row.name, row.memberships_count, row.projects_count) for row in rows] == [
        ("Acme", 3, 2),
        ("Globex", 1, 2),
    ]


def test_a_member_is_added_and_can_call(console: Console, cast: Cast):
    dave = cast.caller(cast.dave)
    path = f"/api/organizations/{cast.acme.pk}/roles/"
    assert dave.get(path).status_code == 403
    given = {"memberships-2-0-user": cast.dave.pk, "memberships-2-0-level": Level.MEMBER.value}
    assert console.fill(address(cast.acme), **given).status_code == 302
    assert dave.get(path).status_code == 200


def test_a_member_is_added_once(console: Console, cast: Cast):
    given = {"memberships-2-0-user": cast.bob.pk, "memberships-2-0-level": Level.MEMBER.value}
    assert "already" in errors(console.fill(address(cast.acme), **given))


def test_a_member_is_raised_and_removed_with_the_roles(console: Console, cast: Cast):
    carol = Membership.objects.get(organization=cast.acme, user=cast.carol)
    role = Role.objects.create(organization=cast.acme, name="Engineering")
    RoleMembership.objects.create(role=role, organization_member=carol)
    # In the order of joining: Alice, Bob, Carol.
    assert console.fill(address(cast.acme), **{"memberships-2-level": Level.ADMIN.value}).status_code == 302
    carol.refresh_from_db()
    assert carol.level == Level.ADMIN
    assert console.fill(address(cast.acme), **{"memberships-2-DELETE": "on"}).status_code == 302
    assert not Membership.objects.filter(pk=carol.pk).exists()
    assert not RoleMembership.objects.exists()


@pytest.mark.parametrize("changes", [{"memberships-0-DELETE": "on"}, {"memberships-0-level": Level.ADMIN.value}])
def test_the_last_owner_stays(console: Console, cast: Cast, changes: dict[str, str]):
    refused = console.fill(address(cast.acme), **changes)
    assert "An organization needs an owner" in errors(refused)
    assert Membership.objects.get(organization=cast.acme, user=cast.alice).level == Level.OWNER
    raised = {"memberships-1-level": Level.OWNER.value}
    assert console.fill(address(cast.acme), **raised).status_code == 302
    assert console.fill(address(cast.acme), **changes).status_code == 302


def test_a_default_role_is_one_of_the_organization(console: Console, cast: Cast):
    own = Role.objects.create(organization=cast.acme, name="Engineering")
    theirs = Role.objects.create(organization=cast.globex, name="Sales")
    assert "Select a valid choice" in errors(console.fill(address(cast.acme), default_role=theirs.pk))
    assert console.fill(address(cast.acme), default_role=own.pk).status_code == 302
    cast.acme.refresh_from_db()
    assert cast.acme.default_role == own


def test_a_role_is_made_filled_and_deleted(console: Console, cast: Cast):
    made = console.fill(place(Role, "add/"), organization=cast.acme.pk, name="Engineering")
    assert made.status_code == 302
    role = Role.objects.get(name="Engineering")
    assert (role.organization, role.created_by) == (cast.acme, cast.alice)
    member = Membership.objects.get(organization=cast.acme, user=cast.carol)
    assert console.fill(address(role), **{"members-2-0-organization_member": member.pk}).status_code == 302
    assert [each.organization_member for each in role.members.all()] == [member]
    assert console.fill(address(role), **{"members-0-DELETE": "on"}).status_code == 302
    assert not role.members.exists()
    assert console.client.post(address(role, "delete"), {"post": "yes"}).status_code == 302
    assert not Role.objects.filter(pk=role.pk).exists()


def test_a_role_takes_no_stranger_and_no_name_twice(console: Console, cast: Cast):
    role = Role.objects.create(organization=cast.acme, name="Engineering")
    dave = Membership.objects.get(organization=cast.globex)
    refused = console.fill(address(role), **{"members-2-0-organization_member": dave.pk})
    assert "Select a valid choice" in errors(refused)
    assert not role.members.exists()
    twice = console.fill(place(Role, "add/"), organization=cast.acme.pk, name="ENGINEERING")
    assert "There is already a role with this name." in errors(twice)


ADD_KEY = place(PersonalAPIKey, "add/")


def shown(answer: "object") -> str:
    (value,) = re.findall(r'<pre id="secret"[^>]*>(phx_\w+)</pre>', answer.content.decode())  # type: ignore[attr-defined]
    return str(value)


def test_a_key_is_made_shown_once_and_works(console: Console, cast: Cast):
    answer = console.fill(ADD_KEY, user=cast.bob.pk, label="ci", scopes=["user:read", "cohort:write"])
    value = shown(answer)
    assert "no-store" in answer.headers["Cache-Control"]
    assert '<button type="button" class="core6-button" data-copy="#secret">' in answer.content.decode()
    assert Caller(value).get("/api/users/@me/").json()["email"] == "bob@example.com"
    assert Caller(value).get(f"/api/projects/{cast.web.pk}/annotations/").status_code == 403
    key = PersonalAPIKey.objects.get(label="ci")
    assert (key.user, key.scopes, key.mask_value) == (cast.bob, ["user:read", "cohort:write"], mask_key(value))
    for path in (place(PersonalAPIKey), address(key), address(key, "history"), "/admin/"):
        page = console.read(path)
        assert value not in page, path
        assert key.secure_value not in page, path
    assert not any(value in cookie.value for cookie in console.client.cookies.values())


def test_a_key_can_be_given_every_scope_that_an_endpoint_needs():
    def below(view: type[Any]) -> set[type[Any]]:
        return {view}.union(*map(below, view.__subclasses__()))

    views = [view for view in below(ScopedViewSet) if not view.__module__.startswith("tests.")]
    scopes = {view.scope for view in views if getattr(view, "scope", "")}  # those that only others inherit have none
    scopes |= {scope.split(":")[0] for view in views for each in view.action_scopes.values() for scope in each}
    assert scopes >= {"annotation", "cohort", "organization", "person", "project", "user"}
    assert scopes <= set(SCOPED)


def test_a_key_is_kept_to_an_organization_and_to_projects(console: Console, cast: Cast):
    everywhere = {"user": cast.alice.pk, "scopes": ["*"]}
    of_web = shown(console.fill(ADD_KEY, **everywhere, label="web", scoped_teams=[cast.web.pk]))
    assert Caller(of_web).get(f"/api/projects/{cast.web.pk}/annotations/").status_code == 200
    assert Caller(of_web).get(f"/api/projects/{cast.app.pk}/annotations/").status_code == 403
    of_globex = shown(console.fill(ADD_KEY, **everywhere, label="globex", scoped_organizations=[cast.globex.pk]))
    assert Caller(of_globex).get(f"/api/projects/{cast.web.pk}/annotations/").status_code == 403
    key = PersonalAPIKey.objects.get(label="web")
    assert (key.scoped_organizations, key.scoped_teams) == ([], [cast.web.pk])
    assert f"Web ({cast.web.pk})" in console.read(address(key))


def test_a_key_of_no_scope_may_do_nothing(console: Console, cast: Cast):
    value = shown(console.fill(ADD_KEY, user=cast.alice.pk, label="none"))
    assert PersonalAPIKey.objects.get().scopes == []
    assert Caller(value).get(f"/api/projects/{cast.web.pk}/annotations/").status_code == 403


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"scopes": ["annotation:delete"]}, "Select a valid choice."),
        ({"label": ""}, "This field is required."),
        ({"label": "taken"}, "This user has a key with this label already: choose another label."),
        ({"scoped_teams": [4711]}, "Select a valid choice."),
    ],
)
def test_a_key_that_cannot_be_is_refused(console: Console, cast: Cast, changes: dict[str, object], complaint: str):
    shown(console.fill(ADD_KEY, user=cast.alice.pk, label="taken", scopes=["*"]))
    given = {"user": cast.alice.pk, "label": "new", "scopes": ["*"], **changes}
    assert complaint in errors(console.fill(ADD_KEY, **given))
    assert PersonalAPIKey.objects.count() == 1


def test_a_key_that_is_revoked_is_refused_at_once(console: Console, cast: Cast):
    alice, bob = cast.caller(cast.alice), cast.caller(cast.bob)
    first, second = PersonalAPIKey.objects.order_by("user__email")
    assert "Revoke this key" in console.read(address(first))
    assert f"Revoke the key “{first.label}” of alice@example.com" in console.read(address(first, "delete"))
    revoked = console.client.post(address(first, "delete"), {"post": "yes"})
    assert (revoked.status_code, revoked.headers["Location"]) == (302, place(PersonalAPIKey))
    listed = console.read(place(PersonalAPIKey))
    assert f"The key “{first.label}” was revoked" in listed
    assert "Revoke the selected keys" in listed
    assert alice.get("/api/users/@me/").status_code == 401
    chosen = {"action": "delete_selected", "_selected_action": second.pk}
    assert "Revoke these keys?" in console.client.post(place(PersonalAPIKey), chosen).content.decode()
    chosen["post"] = "yes"
    assert console.client.post(place(PersonalAPIKey), chosen).status_code == 302
    assert bob.get("/api/users/@me/").status_code == 401


def test_a_key_cannot_be_changed(console: Console, cast: Cast):
    cast.key(cast.alice)
    key = PersonalAPIKey.objects.get()
    assert console.client.post(address(key), {"label": "other", "scopes": ["*"]}).status_code == 403


def test_the_last_use_of_a_key_is_shown(console: Console, cast: Cast):
    alice = cast.caller(cast.alice)
    assert console.rows(PersonalAPIKey, use="never") != set()
    alice.get("/api/users/@me/")
    assert console.rows(PersonalAPIKey, use="never") == set()
    key = PersonalAPIKey.objects.get()
    assert key.last_used_at is not None
    assert console.rows(PersonalAPIKey, use="month") == {key.pk}
    assert f"{key.last_used_at:%Y-%m-%d %H:%M:%S}" in console.read(place(PersonalAPIKey))
