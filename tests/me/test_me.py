import pytest
from django.test.utils import CaptureQueriesContext

from core6.accounts.models import Level, Membership, Organization
from projects.models import Project
from roles.models import Role
from tests.conftest import Caller, Cast, missing

ME, KEY, ORGANIZATIONS = "/api/users/@me/", "/api/personal_api_keys/@current/", "/api/organizations/"


def brief(project: Project) -> dict:
    return {
        "id": project.pk,
        "uuid": str(project.uuid),
        "organization": str(project.organization_id),
        "api_token": project.api_token,
        "name": project.name,
        "completed_snippet_onboarding": False,
        "has_completed_onboarding_for": None,
        "ingested_event": False,
        "is_demo": False,
        "timezone": "UTC",
        "access_control": False,
    }


def acme(cast: Cast, level: int) -> dict:
    return {"id": str(cast.acme.pk), "name": "Acme", "slug": "acme", "membership_level": level}


def test_me_is_the_keys_owner(cast: Cast):
    response = cast.caller(cast.carol, "user:read").get(ME)
    body = response.json()
    assert response.status_code == 200
    assert body.pop("date_joined").endswith("Z")
    assert body == {
        "id": cast.carol.pk,
        "uuid": str(cast.carol.uuid),
        "distinct_id": cast.carol.distinct_id,
        "first_name": "Carol",
        "last_name": "",
        "email": "carol@example.com",
        "is_email_verified": None,
        "hedgehog_config": None,
        "role_at_organization": None,
        "is_staff": False,
        "team": brief(cast.web),
        "organization": acme(cast, 1),
        "organizations": [acme(cast, 1)],
    }


def test_me_may_be_escaped_and_nobody_else_is_there(cast: Cast, alice: Caller):
    assert alice.get("/api/users/%40me").json()["email"] == "alice@example.com"
    assert alice.get(f"/api/users/{cast.bob.uuid}/").status_code == 404


def test_me_names_what_current_means(cast: Cast, alice: Caller):
    Membership.objects.create(organization=cast.globex, user=cast.alice, level=Level.ADMIN)
    cast.alice.current_organization, cast.alice.current_project = cast.globex, cast.globex_app
    cast.alice.save()
    body = alice.get(ME).json()
    assert body["team"] == brief(cast.globex_app)
    assert body["organization"]["name"] == "Globex"
    assert {each["name"]: each["membership_level"] for each in body["organizations"]} == {"Acme": 15, "Globex": 8}


def test_me_without_an_organization_has_none(cast: Cast, alice: Caller):
    Membership.objects.all().delete()
    body = alice.get(ME).json()
    assert (body["team"], body["organization"], body["organizations"]) == (None, None, [])


def test_a_restricted_key_may_ask_who_it_is(cast: Cast):
    caller = cast.caller(cast.alice, scoped_teams=[cast.app.pk], scoped_organizations=[cast.acme.pk])
    assert caller.get(ME).status_code == 200
    body = caller.get(KEY).json()
    assert (body["scoped_teams"], body["scoped_organizations"]) == ([cast.app.pk], [str(cast.acme.pk)])


def test_a_key_reads_what_it_may_do_and_not_its_value(cast: Cast):
    caller = cast.caller(cast.bob, "annotation:read", "cohort:write")
    response = caller.get(KEY)
    body = response.json()
    assert response.status_code == 200
    assert caller.key not in response.content.decode()
    assert {**body, "id": 0, "label": 0, "created_at": 0, "last_used_at": 0} == {
        "id": 0,
        "label": 0,
        "mask_value": f"phx_...{str(caller.key)[-4:]}",
        "created_at": 0,
        "last_used_at": 0,
        "user_id": cast.bob.pk,
        "scopes": ["annotation:read", "cohort:write"],
        "scoped_teams": [],
        "scoped_organizations": [],
    }


def test_an_organization_shows_its_projects_and_counts(cast: Cast):
    role = Role.objects.create(organization=cast.acme, name="Engineering")
    cast.acme.default_role = role
    cast.acme.save()
    bob = cast.caller(cast.bob)
    body = bob.get(f"{ORGANIZATIONS}{cast.acme.pk}/").json()
    assert body.pop("created_at").endswith("Z")
    projects = [brief(cast.web), brief(cast.app)]
    rest = {"member_count": 3, "default_role_id": str(role.pk), "teams": projects, "projects": projects}
    assert body == {**acme(cast, 8), **rest}
    for same in (f"{ORGANIZATIONS}@current/", f"{ORGANIZATIONS}{cast.acme.pk.hex.upper()}"):
        assert bob.get(same).json()["id"] == str(cast.acme.pk)
    assert bob.get(ORGANIZATIONS).json()["results"] == [bob.get(f"{ORGANIZATIONS}@current/").json()]


def test_other_organizations_are_not_there(cast: Cast, alice: Caller):
    for key in (cast.globex.pk, "nope", "1"):
        response = alice.get(f"{ORGANIZATIONS}{key}/")
        assert (response.status_code, response.json()) == (404, missing())
    assert alice.get(ORGANIZATIONS).json()["count"] == 1


def test_a_key_of_one_organization_sees_no_other(cast: Cast):
    Membership.objects.create(organization=cast.globex, user=cast.alice)
    caller = cast.caller(cast.alice, scoped_organizations=[cast.globex.pk])
    assert [each["name"] for each in caller.get(ORGANIZATIONS).json()["results"]] == ["Globex"]
    assert caller.get(f"{ORGANIZATIONS}{cast.acme.pk}/").status_code == 404


@pytest.mark.parametrize("rows", [1, 10])
def test_the_list_takes_four_queries(cast: Cast, alice: Caller, queries: CaptureQueriesContext, rows: int):
    alice.get(ORGANIZATIONS)
    for i in range(rows):
        organization = Organization.objects.create(name=str(i))
        Membership.objects.create(organization=organization, user=cast.alice)
        Project.objects.create(organization=organization)
    with queries:
        assert alice.get(ORGANIZATIONS).json()["count"] == rows + 1
    assert len(queries) == 4  # key; count; page with levels and member counts; their projects


def test_me_takes_four_queries(cast: Cast, alice: Caller, queries: CaptureQueriesContext):
    alice.get(ME)
    with queries:
        alice.get(ME)
    assert len(queries) == 4  # key with its user; the project; the current organization; all organizations
