import pytest
from django.test.utils import CaptureQueriesContext

from annotations.models import Annotation
from core6.accounts.models import Level, Membership, Organization, User
from core6.activity.models import ActivityLog
from core6.analytics.models import Dashboard, GroupType
from projects.models import ProductIntent, Project
from tests.conftest import Caller, Cast, error, missing, refused
from tests.support.urls import projects_url as url

ROOT = "/api/projects/"
SHORT = (
    "id uuid organization api_token name completed_snippet_onboarding has_completed_onboarding_for ingested_event"
    " is_demo timezone access_control"
).split()


def names(response) -> list[str]:
    assert response.status_code == 200, response.json()
    return [row["name"] for row in response.json()["results"]]


def join(cast: Cast, user: User, level: int = Level.MEMBER) -> None:
    Membership.objects.create(organization=cast.globex, user=user, level=level)


def test_a_list_is_short_and_of_one_organization(cast: Cast, alice: Caller):
    join(cast, cast.alice)
    body = alice.get(url(cast)).json()
    assert [row["name"] for row in body["results"]] == ["Web", "App"]
    assert (body["count"], list(body["results"][0])) == (2, SHORT)


def test_the_root_list_is_of_every_organization_of_the_caller(cast: Cast, alice: Caller):
    Project.objects.filter(pk=cast.web.pk).update(anonymize_ips=True)  # moves the row behind the others
    assert names(alice.get(ROOT)) == ["Web", "App"]
    join(cast, cast.alice)
    assert alice.get(ROOT).json()["count"] == 4
    assert names(alice.get("/api/projects?limit=1")) == ["Web"]


def test_a_caller_without_an_organization_lists_nothing(cast: Cast, alice: Caller):
    Membership.objects.all().delete()
    assert alice.get(ROOT).json() == {"count": 0, "next": None, "previous": None, "results": []}


def test_a_list_can_be_searched_by_name(cast: Cast, alice: Caller):
    Project.objects.create(organization=cast.acme, name="Mobile web app")
    assert names(alice.get(url(cast), search="WEB")) == ["Web", "Mobile web app"]
    assert names(alice.get(ROOT, search="mobile")) == ["Mobile web app"]
    assert names(alice.get(url(cast), search="%")) == []


def test_a_project_is_the_same_below_both_roots(cast: Cast, alice: Caller):
    one = alice.get(url(cast, cast.web)).json()
    other = alice.get(f"{ROOT}{cast.web.pk}/").json()
    assert {**one, "live_events_token": 0} == {**other, "live_events_token": 0}


def test_current_is_the_callers_project(cast: Cast, alice: Caller):
    for path in ("/api/projects/@current", "/api/organizations/@current/projects/@current/"):
        assert alice.get(path).json()["id"] == cast.web.pk
    cast.alice.current_project = cast.app
    cast.alice.save()
    for path in ("/api/projects/@current", url(cast, "@current")):
        assert alice.get(path).json()["name"] == "App"
        assert alice.patch(path, {"week_start_day": 1}).json()["name"] == "App"


def test_current_is_not_found_below_another_organization(cast: Cast, alice: Caller):
    join(cast, cast.alice)
    response = alice.get(f"/api/organizations/{cast.globex.pk}/projects/@current/")
    assert (response.status_code, response.json()) == (404, missing())


def test_foreign_projects_are_not_there(cast: Cast, alice: Caller):
    join(cast, cast.bob)
    bob = cast.caller(cast.bob)
    theirs = cast.globex_web.pk
    for caller, path in (
        (alice, f"{ROOT}{theirs}/"),
        (alice, url(cast, theirs)),
        (alice, f"/api/organizations/{cast.globex.pk}/projects/{theirs}/"),
        (bob, url(cast, theirs)),
    ):
        for response in (caller.get(path), caller.patch(path, {"name": "Mine"}), caller.delete(path)):
            assert (response.status_code, response.json()) == (404, missing())
    assert bob.get(f"/api/organizations/{cast.globex.pk}/projects/{theirs}/").status_code == 200
    assert not Project.objects.filter(name="Mine").exists()


def test_a_foreign_organization_lists_and_creates_nothing(cast: Cast, alice: Caller):
    path = f"/api/organizations/{cast.globex.pk}/projects/"
    for response in (alice.get(path), alice.post(path, {"name": "Mine"})):
        assert (response.status_code, response.json()) == (403, refused())
    for path in ("/api/organizations/nope/projects/", f"/api/organizations/nope/projects/{cast.web.pk}/"):
        response = alice.get(path)
        assert (response.status_code, response.json()) == (404, missing("Organization not found."))


def test_an_administrator_creates_a_project(cast: Cast):
    bob = cast.caller(cast.bob)
    response = bob.post(url(cast), {"name": "New", "timezone": "Europe/Berlin"})
    assert response.status_code == 201
    assert (response.json()["name"], response.json()["timezone"]) == ("New", "Europe/Berlin")
    assert response.json()["organization"] == str(cast.acme.pk)
    assert bob.get("/api/projects/@current/").json()["id"] == response.json()["id"]


def test_a_project_is_created_in_the_current_organization_below_the_root(cast: Cast, alice: Caller):
    join(cast, cast.alice, Level.ADMIN)
    assert alice.post(ROOT, {}).json()["organization"] == str(cast.acme.pk)
    cast.alice.refresh_from_db()
    cast.alice.current_organization = cast.globex
    cast.alice.save()
    body = alice.post(ROOT, {}).json()
    assert (body["organization"], body["name"]) == (str(cast.globex.pk), "Default project")


def test_a_member_creates_none(cast: Cast):
    for path in (url(cast), ROOT):
        response = cast.caller(cast.carol).post(path, {"name": "New"})
        expected = refused("Your organization access level is insufficient.")
        assert (response.status_code, response.json()) == (403, expected)
    assert Project.objects.count() == 4


def test_what_is_refused_creates_nothing(cast: Cast, alice: Caller):
    response = alice.post(url(cast), {"name": "New", "timezone": "Mars"})
    assert response.status_code == 400
    assert Project.objects.count() == 4
    assert not Dashboard.objects.exists()
    assert not ActivityLog.objects.exists()


def test_a_member_changes_settings_but_does_not_delete(cast: Cast):
    carol = cast.caller(cast.carol)
    assert carol.patch(url(cast, cast.web), {"name": "New"}).json()["name"] == "New"
    response = carol.delete(url(cast, cast.web))
    expected = refused("You don't have sufficient permissions in the project.")
    assert (response.status_code, response.json()) == (403, expected)


def test_deleting_takes_everything_along_but_the_trace(cast: Cast, alice: Caller):
    Annotation.objects.create(organization=cast.acme, project=cast.web)
    ProductIntent.objects.create(project=cast.web, product_type="surveys")
    dashboard = Dashboard.objects.create(project=cast.web)
    Project.objects.filter(pk=cast.web.pk).update(primary_dashboard=dashboard)
    cast.alice.current_project = cast.web
    cast.alice.save()
    response = alice.delete(url(cast, cast.web))
    assert (response.status_code, response.content) == (204, b"")
    for path in (url(cast, cast.web), url(cast, cast.web, "activity/")):
        assert alice.get(path).status_code == 404
    cast.alice.refresh_from_db()
    assert cast.alice.current_project is None
    rows = ActivityLog.objects.filter(activity="deleted", item_id=str(cast.web.pk), organization=cast.acme)
    assert sorted(rows.values_list("scope", flat=True)) == ["Project", "Team"]
    assert alice.delete(url(cast, cast.app)).status_code == 204
    assert alice.get(url(cast)).json()["count"] == 0


def test_a_key_of_projects_reaches_these_alone(cast: Cast):
    caller = cast.caller(cast.alice, scoped_teams=[cast.web.pk])
    for base in (ROOT, url(cast)):
        assert caller.get(f"{base}{cast.web.pk}/").status_code == 200
        detail = f"API key does not have access to the requested project: ID {cast.app.pk}."
        assert caller.get(f"{base}{cast.app.pk}/").json() == refused(detail)
        only = refused("API keys with scoped projects are only supported on project-based endpoints.")
        assert (caller.get(base).json(), caller.post(base, {}).json()) == (only, only)


def test_a_key_of_organizations_lists_these_alone(cast: Cast):
    join(cast, cast.alice, Level.ADMIN)
    caller = cast.caller(cast.alice, scoped_organizations=[cast.globex.pk])
    listed = caller.get(ROOT).json()["results"]
    assert {row["organization"] for row in listed} == {str(cast.globex.pk)}
    refusal = refused(f"API key does not have access to the requested organization: ID {cast.acme.pk}.")
    for response in (caller.get(url(cast)), caller.get(f"{ROOT}{cast.web.pk}/"), caller.post(ROOT, {})):
        assert (response.status_code, response.json()) == (403, refusal)


def test_an_unreadable_body_is_refused_before_a_missing_object(cast: Cast, alice: Caller):
    path = f"/api/projects/{cast.web.pk}/annotations/999999/"
    assert alice.patch(path, "{").json()["code"] == "parse_error"
    assert alice.patch(path, {}).json() == missing()


def test_put_on_a_list_is_not_allowed(cast: Cast, alice: Caller):
    response = alice.put(ROOT, {})
    expected = error("invalid_request", "method_not_allowed", 'Method "PUT" not allowed.')
    assert (response.status_code, response.json()) == (405, expected)


@pytest.mark.parametrize("rows", [1, 10, 100])
def test_a_list_takes_two_queries(cast: Cast, alice: Caller, queries: CaptureQueriesContext, rows: int):
    alice.get(ROOT)
    organization = Organization.objects.create(name="Big")
    Membership.objects.create(organization=organization, user=cast.alice)
    for _ in range(rows):
        Project.objects.create(organization=organization)
    with queries:
        assert len(alice.get(f"/api/organizations/{organization.pk}/projects/").json()["results"]) == rows
    assert len(queries) == 2  # key with organization and level; page with count


@pytest.mark.parametrize("rows", [1, 5])
def test_a_project_takes_four_queries(cast: Cast, alice: Caller, queries: CaptureQueriesContext, rows: int):
    alice.get(ROOT)
    for i in range(rows):
        GroupType.objects.create(project=cast.web, group_type=str(i), group_type_index=i)
        ProductIntent.objects.create(project=cast.web, product_type=str(i))
    for path in (url(cast, cast.web), f"{ROOT}{cast.web.pk}/"):
        with queries:
            assert len(alice.get(path).json()["group_types"]) == rows
        assert len(queries) == 4  # key with level; the project; its intents; its group types


def test_changes_take_a_constant_number_of_queries(cast: Cast, alice: Caller, queries: CaptureQueriesContext):
    path = url(cast, cast.web)
    alice.patch(path, {"name": "Old"})
    alice.patch(f"{path}reset_token/", {})
    with queries:
        alice.patch(path, {"name": "New", "anonymize_ips": True})
    # key, savepoint, the locked project, its group types, update, its two activity rows, intents, release
    assert len(queries) == 9
    with queries:
        alice.patch(f"{path}reset_token/", {})
    # key, savepoint, the locked project, its group types, update, its activity row, intents, release
    assert len(queries) == 8
