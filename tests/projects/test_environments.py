"""`/api/environments/` is another name of `/api/projects/`: the same objects, links that stay below it (D73)."""

from typing import Any

import pytest

from annotations.models import Annotation
from cohorts.models import Cohort
from core6.analytics.models import Person
from tests.conftest import Caller, Cast, missing, refused
from tests.support.routes import api_routes

PROJECTS, ENVIRONMENTS = "/api/projects/", "/api/environments/"


def test_every_address_below_projects_has_its_other_name():
    of_projects = {route.replace(PROJECTS, ENVIRONMENTS) for route in api_routes() if route.startswith(PROJECTS)}
    assert {route for route in api_routes() if route.startswith(ENVIRONMENTS)} == of_projects
    assert len(of_projects) > 15


@pytest.fixture
def world(cast: Cast, alice: Caller) -> Cast:
    """A project with three of everything that is listed."""
    for number in range(3):
        alice.post(f"{PROJECTS}{cast.web.pk}/annotations/", {"content": str(number), "scope": "project"})
        Person.objects.create(project_id=cast.web.pk, properties={"email": f"{number}@example.com"})
        alice.patch(f"{PROJECTS}{cast.web.pk}/", {"product_description": str(number), "week_start_day": number % 2})
    ids = [str(each) for each in Person.objects.values_list("uuid", flat=True)]
    made = {"is_static": True, "_create_static_person_ids": ids}
    assert alice.post(f"{PROJECTS}{cast.web.pk}/cohorts/", made).status_code == 201
    return cast


def addresses(cast: Cast) -> list[str]:
    note, cohort = Annotation.objects.latest("pk"), Cohort.objects.get()
    return [
        *("", f"{cast.web.pk}/", "@current/", f"{cast.web.pk}/activity/", f"{cast.web.pk}/is_generating_demo_data/"),
        *(f"{cast.web.pk}/annotations/", f"@current/annotations/{note.pk}/", f"{cast.web.pk}/annotations/activity/"),
        *(f"{cast.web.pk}/cohorts/", f"{cast.web.pk}/cohorts/{cohort.pk}/", "@current/cohorts/activity/"),
        *(f"{cast.web.pk}/cohorts/{cohort.pk}/persons/", f"{cast.web.pk}/cohorts/{cohort.pk}/calculation_history/"),
    ]


def without_token(body: Any) -> Any:
    return {**body, "live_events_token": None} if isinstance(body, dict) else body


def test_both_names_answer_the_same(world: Cast, alice: Caller):
    for address in addresses(world):
        one, other = alice.get(PROJECTS + address), alice.get(ENVIRONMENTS + address)
        assert one.status_code == other.status_code == 200, address
        assert without_token(other.json()) == without_token(one.json()), address
        assert (other["ETag"], other["Allow"]) == (one["ETag"], one["Allow"]), address


LISTS = (
    *("", "{project}/annotations/", "@current/annotations", "{project}/cohorts/{cohort}/persons/"),
    *("{project}/activity/", "@current/annotations/activity/"),
)


@pytest.mark.parametrize("list_", LISTS)
@pytest.mark.parametrize("prefix", [PROJECTS, ENVIRONMENTS])
def test_links_stay_below_the_name_of_the_request(world: Cast, alice: Caller, prefix: str, list_: str):
    path = prefix + list_.format(project=world.web.pk, cohort=Cohort.objects.get().pk)
    alice.get((ENVIRONMENTS if prefix == PROJECTS else PROJECTS) + path.removeprefix(prefix), limit=1)
    first = alice.get(path, limit=1).json()
    second = alice.get(first["next"]).json()
    for link in (first["next"], second["previous"]):
        assert link.startswith(f"http://testserver{path}?"), link
    assert second["results"] != first["results"]


def test_what_is_written_by_one_name_is_read_by_the_other(cast: Cast, alice: Caller):
    for one, other in ((ENVIRONMENTS, PROJECTS), (PROJECTS, ENVIRONMENTS)):
        made = alice.post(f"{one}{cast.web.pk}/annotations/", {"content": "seen", "scope": "project"}).json()
        note = f"{other}{cast.web.pk}/annotations/{made['id']}/"
        assert alice.get(note).json() == made
        assert alice.patch(note, {"content": "changed"}).json()["content"] == "changed"
        assert alice.get(note.replace(other, one)).json()["content"] == "changed"
    made = alice.post(ENVIRONMENTS, {"name": "New"}).json()
    assert alice.get(f"{PROJECTS}{made['id']}/").json()["name"] == "New"
    assert alice.patch(f"{ENVIRONMENTS}{made['id']}/reset_token/").json()["api_token"] != made["api_token"]
    assert alice.delete(f"{ENVIRONMENTS}{made['id']}/").status_code == 204
    assert alice.get(f"{PROJECTS}{made['id']}/").status_code == 404


def test_refusals_are_those_of_projects(cast: Cast, alice: Caller):
    unknown = alice.get(f"{ENVIRONMENTS}999999/annotations/")
    assert (unknown.status_code, unknown.json()) == (404, missing("Project not found."))
    foreign = alice.get(f"{ENVIRONMENTS}{cast.globex_web.pk}/annotations/")
    assert (foreign.status_code, foreign.json()) == (403, refused("You don't have access to the project."))
    hidden = alice.get(f"{ENVIRONMENTS}{cast.globex_web.pk}/")
    assert (hidden.status_code, hidden.json()) == (404, missing())
    assert alice.get("/api/environment/").status_code == 404
