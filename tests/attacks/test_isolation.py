"""Nobody from outside reads or changes a row of Acme: by no method, at no address, with no id in a body."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import pytest

from cohorts.models import CohortMember
from core6.analytics.models import Person
from tests.attacks.marked_world import MARK, World, taken_back
from tests.conftest import Caller
from tests.support.cohorts.people import all_of, work
from tests.support.database_state import state
from tests.support.routes import METHODS, api_routes
from tests.support.sampling import sampled

pytestmark = pytest.mark.django_db
OUTSIDERS: Final = ("dave", "another project", "another organization", "no scopes")
#: Addresses without an id of somebody's: who calls reads and makes things of their own there.
OWN: Final = tuple(template for template in api_routes() if "{" not in template)
FOREIGN: Final = tuple(template for template in api_routes() if "{" in template)
KNOWN_METHODS: Final = tuple(method for method in METHODS if method != "NONSENSE")
#: Who calls what, by which method.
CASES: Final = sampled(product(api_routes(), OUTSIDERS, KNOWN_METHODS), 4)


@dataclass
class Stage:
    """The world, the keys of the outsiders, and all tables as they were."""

    world: World
    callers: dict[str, Caller]
    before: dict[str, str | None]

    def call(self, outsider: str, method: str, path: str, body: Any = None) -> Any:
        writes = method in ("POST", "PUT", "PATCH")
        return self.callers[outsider].request(method, path, (body or self.world.body) if writes else None)


@pytest.fixture(scope="module")
def stage(world: World) -> Stage:
    cast = world.cast
    callers = {
        "dave": cast.caller(cast.dave),
        "another project": cast.caller(cast.alice, scoped_teams=[world.shop.pk]),
        "another organization": cast.caller(cast.alice, scoped_organizations=[world.initech.pk]),
        "no scopes": cast.caller(cast.alice),
    }
    cast.alice.personal_api_keys.filter(scoped_teams=None, scoped_organizations=None).update(scopes=[])
    for caller in callers.values():
        caller.client.raise_request_exception = False
        caller.get("/api/personal_api_keys/@current/")  # notes the use of the key
    return Stage(world, callers, state())


def leaks(world: World, response: Any, sent: str = "") -> Iterator[str]:
    """Yield what an answer shows of Acme that was not sent."""
    text = response.content.decode() + "".join(f"\n{name}: {value}" for name, value in response.items())
    if MARK in text:
        place = text.index(MARK)
        yield f"shows {text[max(place - 60, 0) : place + 60]!r}"
    yield from (f"shows {secret}" for secret in world.secrets if secret in text and secret not in sent)


def problems(stage: Stage, outsider: str, method: str, path: str, body: Any = None) -> list[str]:
    """Return what is wrong with the answer to a request about Acme, and with what it left behind."""
    with taken_back():
        response = stage.call(outsider, method, path, body)
        sent = path + json.dumps(stage.world.body) + json.dumps(body)
        found = list(leaks(stage.world, response, sent))
        # OPTIONS look no object up, and say the same of every address.
        is_description = method == "OPTIONS" and "parses" in response.json()
        if not (400 <= response.status_code < 500 or is_description):
            found.append(f"is {response.status_code}")
        found += [f"changed {name}" for name, digest in state().items() if digest != stage.before[name]]
    return [f"{outsider}: {method} {path} {each}" for each in found]


@pytest.mark.parametrize("template", FOREIGN)
def test_no_method_reaches_a_row_of_acme(stage: Stage, template: str):
    path = stage.world.at(template)
    cases = [case[1:] for case in CASES if case[0] == template]
    assert [each for case in cases for each in problems(stage, *case, path)] == []


@pytest.mark.parametrize("template", OWN)
def test_what_is_the_callers_own_shows_nothing_of_acme(stage: Stage, template: str):
    """Alice's own answer names the organizations that she is in; nobody else's names Acme."""
    world, found = stage.world, []
    body = {**world.body, "organization": str(world.cast.acme.pk), "primary_dashboard": world.dashboard.pk}
    for outsider, method in [case[1:] for case in CASES if case[0] == template]:
        with taken_back():
            response = stage.call(outsider, method, template, body)
            assert response.status_code < 500
            if template == "/api/users/@me/" and outsider != "dave":
                names = response.content.decode().replace(world.cast.acme.name, "").replace(f"{MARK}-acme", "")
                response.content = names.encode()
            found += [f"{outsider}: {method} {each}" for each in leaks(world, response, json.dumps(body))]
            assert world.cast.acme.projects.count() == 2
    assert found == []


def own(stage: Stage, outsider: str) -> tuple[Any, Any]:
    """Return the project and the organization that an outsider may read."""
    world = stage.world
    return (world.cast.globex_web, world.cast.globex) if outsider == "dave" else (world.shop, world.initech)


MIXED: Final = tuple(template for template in FOREIGN if "_id}" in template and "/{id}/" in template)


@pytest.mark.parametrize("template", MIXED)
def test_a_row_of_acme_is_not_there_below_what_is_the_callers(stage: Stage, template: str):
    found = []
    for outsider, method in [case[1:] for case in CASES if case[0] == template and case[2] != "OPTIONS"]:
        project, organization = own(stage, outsider)
        path = stage.world.at(template, project_id=project.pk, organization_id=organization.pk)
        found += problems(stage, outsider, method, path)
    assert found == []


def test_a_role_of_acme_is_not_there_below_what_is_the_callers(stage: Stage):
    """Neither as the parent in an address, nor with a member of Acme in a role of Globex."""
    roles = f"/api/organizations/{stage.world.cast.globex.pk}/roles/"
    theirs, own_role = f"{roles}{stage.world.role.pk}/", f"{roles}{stage.world.globex_role.pk}/"
    found = [
        each
        for method, path in (
            ("GET", f"{theirs}role_memberships/"),
            ("POST", f"{theirs}role_memberships/"),
            ("POST", f"{own_role}role_memberships/"),
            ("GET", f"{own_role}role_memberships/{stage.world.membership.pk}/"),
            ("DELETE", f"{own_role}role_memberships/{stage.world.membership.pk}/"),
        )
        for each in problems(stage, "dave", method, path)
    ]
    assert found == []


@pytest.mark.parametrize("field", ["dashboard_id", "dashboard_item"])
def test_a_note_of_globex_takes_no_dashboard_of_acme(stage: Stage, field: str):
    world = stage.world
    key = {"dashboard_id": world.dashboard.pk, "dashboard_item": world.insight.pk}[field]
    notes = f"/api/projects/{world.cast.globex_web.pk}/annotations/"
    assert problems(stage, "dave", "POST", notes, {"scope": "project", field: key}) == []


@pytest.mark.parametrize("prefix", ["projects", "environments"])
def test_a_project_of_globex_takes_no_dashboard_of_acme(stage: Stage, prefix: str):
    world = stage.world
    with taken_back():
        path = f"/api/{prefix}/{world.cast.globex_web.pk}/"
        response = stage.call("dave", "PATCH", path, {"primary_dashboard": world.dashboard.pk})
        assert response.status_code == 400
        assert list(leaks(world, response)) == []


def test_a_project_does_not_move_into_acme(stage: Stage):
    world = stage.world
    for path in (f"/api/projects/{world.cast.globex_web.pk}/", f"/api/projects/{world.shop.pk}/"):
        for outsider in ("dave", "another organization"):
            with taken_back():
                fields = {"organization": str(world.cast.acme.pk), "organization_id": str(world.cast.acme.pk)}
                assert stage.call(outsider, "PATCH", path, fields).status_code < 500
                assert world.cast.acme.projects.count() == 2


def test_a_cohort_of_globex_takes_nobody_of_acme(stage: Stage):
    """Not by a list of ids, a copy, a criterion, a query, nor a file."""
    world = stage.world
    base = f"/api/projects/{world.cast.globex_web.pk}/cohorts/"
    person, cohort = str(world.person.uuid), world.static.pk
    to_it = {"type": "cohort", "key": "id", "value": cohort}
    bodies: list[dict[str, Any]] = [
        {"is_static": True, "_create_static_person_ids": [person]},
        {"filters": all_of(to_it)},
        {"filters": all_of({"type": "person", "key": "plan", "operator": "exact", "value": "pro"})},
        {"groups": [{"properties": [to_it]}]},
        {"is_static": True, "query": {"kind": "ActorsQuery", "properties": [to_it]}},
        {"is_static": True, "query": {"kind": "ActorsQuery", "source": {"kind": "InsightActorsQuery"}}},
    ]
    for body in bodies:
        with taken_back():
            response = stage.call("dave", "POST", base, body)
            assert response.status_code in (201, 400), response.content
            assert list(leaks(world, response, json.dumps(body))) == []
            work()
            members = CohortMember.objects.exclude(project_id=world.cast.web.pk)
            assert not members.exists(), body
            if response.status_code == 201:
                persons = stage.call("dave", "GET", f"{base}{response.json()['id']}/persons/")
                assert persons.json()["results"] == []


def test_persons_of_acme_are_not_added_to_or_removed_from_a_cohort_of_globex(stage: Stage):
    world = stage.world
    one = f"/api/projects/{world.cast.globex_web.pk}/cohorts/{world.globex_cohort.pk}/"
    for action in ("add_persons_to_static_cohort/", "remove_person_from_static_cohort/"):
        with taken_back():
            response = stage.call("dave", "PATCH", f"{one}{action}")
            assert response.status_code < 500
            assert list(leaks(world, response, json.dumps(world.body))) == []
            assert set(CohortMember.objects.values_list("project_id", flat=True)) == {world.cast.web.pk}


@pytest.mark.parametrize("is_list", [True, False])
def test_a_criterion_of_globex_reads_no_cohort_of_acme(stage: Stage, is_list: bool):
    """Not even where a person of Globex has the id of one of Acme, who is in that cohort."""
    world = stage.world
    key = world.cast.globex_web.pk
    base = f"/api/projects/{key}/cohorts/"
    with taken_back():
        Person.objects.create(project_id=key, uuid=world.person.uuid, properties={"plan": "free"})
        CohortMember.objects.create(project_id=key, cohort_id=world.globex_cohort.pk, person_uuid=world.person.uuid)
        persons = f"{base}{world.globex_cohort.pk}/persons/"
        assert len(stage.callers["dave"].get(persons).json()["results"]) == 1
        to_it = {"type": "cohort", "key": "id", "value": [world.static.pk] if is_list else world.static.pk}
        response = stage.callers["dave"].get(persons, properties=json.dumps([to_it]))
        assert response.status_code in (200, 400)
        assert response.json().get("results", []) == []
        made = stage.call("dave", "POST", base, {"filters": all_of(to_it)})
        work()
        if made.status_code == 201:
            assert stage.callers["dave"].get(f"{base}{made.json()['id']}/persons/").json()["results"] == []


def test_the_world_shows_its_marks_to_those_who_may_read_it(stage: Stage):
    """Else nothing here would notice a leak."""
    world = stage.world
    bob, shows = world.cast.caller(world.cast.bob), set()
    for template, route in api_routes().items():
        if "GET" in route.methods and MARK in bob.get(world.at(template)).content.decode():
            shows.add(template)
    readable = {template for template, route in api_routes().items() if "GET" in route.methods}
    assert readable - shows == {"/api/personal_api_keys/@current/"}
