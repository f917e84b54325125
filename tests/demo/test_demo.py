from typing import Any

import pytest

from cohorts.models import CohortMember
from core6.analytics.models import Dashboard, DistinctId, Event, Person
from core6.demo import filling
from projects.models import Project
from tests.conftest import Caller, Cast, at_once, refused
from tests.support.cohorts.people import waiting, work
from tests.support.urls import projects_url as url

LIMIT = refused(
    "You have reached the maximum limit of allowed projects for your current plan."
    " Upgrade your plan to be able to create and manage more projects."
)


def create(cast: Cast, caller: Caller) -> dict:
    response = caller.post(url(cast), {"is_demo": True, "name": "Demo"})
    assert response.status_code == 201, response.json()
    return response.json()


def is_generating(cast: Cast, caller: Caller, project: dict) -> bool:
    return caller.get(url(cast, project, "is_generating_demo_data/")).json()["is_generating_demo_data"]


def test_a_demo_project_is_filled_by_a_job(cast: Cast, alice: Caller):
    project = create(cast, alice)
    assert (project["is_demo"], project["primary_dashboard"]) == (True, None)
    assert is_generating(cast, alice, project)
    work()
    assert not is_generating(cast, alice, project)
    body = alice.get(url(cast, project)).json()
    assert body["ingested_event"] is True
    assert Dashboard.objects.get(pk=body["primary_dashboard"]).name == "Web traffic"
    assert Person.objects.filter(project_id=project["id"]).count() == filling.PERSONS
    cohorts = alice.get(f"/api/projects/{project['id']}/cohorts/").json()["results"]
    assert {each["name"] for each in cohorts} == {"Paying", "Large teams", "Recently active"}
    for cohort in cohorts:
        assert (cohort["is_calculating"], cohort["errors_calculating"]) == (False, 0)
        assert 0 < cohort["count"] < filling.PERSONS
    notes = alice.get(f"/api/projects/{project['id']}/annotations/").json()
    assert notes["count"] == 2


def test_the_same_people_do_the_same_each_time(cast: Cast, alice: Caller):
    first = create(cast, alice)
    second = cast.caller(cast.dave).post(f"/api/organizations/{cast.globex.pk}/projects/", {"is_demo": True}).json()
    work()

    def story(project: dict) -> Any:
        began = Project.objects.get(pk=project["id"]).created_at
        people = Person.objects.filter(project_id=project["id"])
        events = Event.objects.filter(project_id=project["id"])
        return (
            sorted((each.properties["name"], each.properties["plan"], began - each.created_at) for each in people),
            sorted((each.distinct_id, each.event, began - each.timestamp) for each in events),
        )

    assert story(first) == story(second)


def test_an_organization_has_one(cast: Cast, alice: Caller):
    create(cast, alice)
    response = alice.post(url(cast), {"is_demo": True})
    assert (response.status_code, response.json()) == (403, LIMIT)
    assert alice.post(url(cast), {"is_demo": False}).status_code == 201
    assert cast.caller(cast.dave).post("/api/projects/", {"is_demo": True}).status_code == 201


def test_a_member_may_make_it(cast: Cast):
    carol = cast.caller(cast.carol)
    assert carol.post(url(cast), {"is_demo": "false"}).status_code == 403
    assert carol.post(url(cast), "is_demo=true", content_type="application/x-www-form-urlencoded").status_code == 201


WRITES = (
    *(("PUT", ""), ("PATCH", ""), ("PATCH", "complete_product_onboarding/"), ("PATCH", "reset_token/")),
    *(("PATCH", "rotate_secret_token/"), ("PATCH", "delete_secret_token_backup/")),
    ("POST", "generate_conversations_public_token/"),
)


@pytest.mark.parametrize("base", ["/api/organizations/@current/projects/", "/api/projects/"])
@pytest.mark.parametrize(("method", "action"), WRITES)
@pytest.mark.parametrize("is_demo", [True, False])
def test_whether_it_is_one_is_changed_by_administrators(cast: Cast, base: str, method: str, action: str, is_demo: bool):
    Project.objects.filter(pk=cast.web.pk).update(is_demo=is_demo)
    path, sent = f"{base}{cast.web.pk}/{action}", {"is_demo": not is_demo, "timezone": "Mars", "name": "New"}
    refusal = cast.caller(cast.carol).request(method, path, sent)
    expected = refused("You don't have sufficient permissions in the project.")
    assert (refusal.status_code, refusal.json()) == (403, expected)
    cast.web.refresh_from_db()
    assert (cast.web.is_demo, cast.web.name) == (is_demo, "Web")
    response = cast.caller(cast.bob).request(method, path, {**sent, "timezone": "UTC"})
    assert (response.status_code, response.json()["is_demo"]) == (200, not is_demo)


@pytest.mark.parametrize("action", ["", "complete_product_onboarding/"])
@pytest.mark.parametrize("is_demo", [True, "true", 1])
def test_a_member_may_send_back_that_it_is_one(cast: Cast, action: str, is_demo: object):
    carol = cast.caller(cast.carol)
    project = create(cast, carol)
    response = carol.patch(url(cast, project, action), {"is_demo": is_demo, "name": "Mine"})
    assert (response.status_code, response.json()["name"]) == (200, "Mine")


def test_a_member_makes_no_ordinary_project_of_it(cast: Cast):
    carol = cast.caller(cast.carol)
    project = create(cast, carol)
    assert carol.patch(url(cast, project), {"is_demo": False}).status_code == 403
    assert carol.post(url(cast), {"is_demo": True}).json() == LIMIT


def test_a_job_that_fails_leaves_nothing_and_is_over(cast: Cast, alice: Caller, monkeypatch: pytest.MonkeyPatch):
    project = create(cast, alice)

    def fail(*args: object) -> None:
        raise RuntimeError("no cohorts today")

    monkeypatch.setattr(filling, "parse", fail)
    with pytest.raises(RuntimeError):
        work()
    assert not is_generating(cast, alice, project)
    assert not Person.objects.filter(project_id=project["id"]).exists()
    assert alice.get(url(cast, project)).json()["ingested_event"] is False


def test_a_project_that_is_gone_is_left_alone(cast: Cast, alice: Caller):
    project = create(cast, alice)
    alice.delete(url(cast, project))
    work()
    assert not Person.objects.exists()
    assert waiting() == []


def test_people_go_with_their_project(cast: Cast, alice: Caller):
    project = create(cast, alice)
    other = cast.caller(cast.dave).post("/api/projects/", {"is_demo": True}).json()
    work()
    alice.delete(url(cast, project))
    work()
    for model in (Person, DistinctId, Event, CohortMember):
        assert {row.project_id for row in model.objects.all()} == {other["id"]}


@pytest.mark.django_db(transaction=True)
def test_of_eight_at_once_one_is_made(committed_cast: Cast):
    cast = committed_cast
    key = cast.key(cast.alice)
    answers = at_once(8, lambda _: Caller(key).post(url(cast), {"is_demo": True}).status_code)
    assert sorted(answers) == [201] + [403] * 7
