"""Random histories of events, against a model that is written from the facts alone."""

from collections.abc import Iterable
from uuid import UUID

import pytest
from django.db import transaction

from core6.accounts.models import Organization
from core6.analytics.models import Event, Person, PersonOverride
from core6.capture.folding import fold
from core6.diagnosis import integrity
from projects.models import Project
from tests.conftest import Caller, Cast
from tests.support.capture.histories import History, history
from tests.support.capture.model import Model
from tests.support.capture.sending import ACCEPTED, batch, event_owners, owners
from tests.support.cohorts.people import work
from tests.support.sampling import IS_EVERY_CASE

#: Projects that are made at a time.
AT_ONCE = 100


def projects(count: int) -> list[Project]:
    acme = Organization.objects.get(name="Acme")
    return Project.objects.bulk_create(Project(organization=acme, name="History") for _ in range(count))


def play(project: Project, given: History) -> Model:
    """Send a history, and apply it to the model."""
    caller, model = Caller(None), Model(project.pk)
    for number, request in enumerate(given.requests):
        if len(request) == 1 and number % 2:
            response = caller.post("/capture/", {**request[0], "api_key": project.api_token})
        else:
            response = caller.post("/batch/", batch(project, *request))
        assert (response.status_code, response.json()) == (200, ACCEPTED), given
    for event in given.events:
        model.apply(event)
    return model


def check(project: Project, model: Model, given: History) -> None:
    """Compare what is stored with the model, before and after the merges are written into the events."""
    stored = {
        each.uuid: (each.properties, each.is_identified, each.created_at)
        for each in Person.objects.filter(project_id=project.pk)
    }
    expected = {uuid: (each.properties, each.is_identified, each.created_at) for uuid, each in model.persons().items()}
    assert stored == expected, given
    assert owners(project) == {each: person.uuid for each, person in model.owners.items()}, given
    ids = dict(Event.objects.filter(project_id=project.pk).values_list("uuid", "distinct_id"))
    assert ids == {uuid: distinct_id for uuid, (distinct_id, _) in model.events.items()}, given
    assert event_owners(project) == model.event_owners(), given
    check_overrides(project, stored, given)
    fold(project.pk)
    written = dict(Event.objects.filter(project_id=project.pk).values_list("uuid", "person_uuid"))
    assert written == model.event_owners(), given
    assert not PersonOverride.objects.filter(project_id=project.pk).exists(), given


def check_overrides(project: Project, persons: Iterable[UUID], given: History) -> None:
    """Each override leads at once from one who is gone to one who is there."""
    pairs = PersonOverride.objects.filter(project_id=project.pk).values_list("old_uuid", "new_uuid")
    assert {new for _, new in pairs} <= set(persons), given
    assert not {old for old, _ in pairs} & set(persons), given


def run(numbers: range) -> None:
    made: list[Project] = []
    for number in numbers:
        made = made or projects(min(AT_ONCE, len(numbers)))
        project, given = made.pop(), history(number)
        check(project, play(project, given), given)


def verified() -> list[str]:
    return [f"{each.name}: {each.message}" for each in integrity.findings() if each.state == "bad"]


def test_histories_have_the_end_that_the_facts_say(cast: Cast):
    run(range(60))
    assert verified() == []
    work()
    assert verified() == []


@pytest.mark.whole
@pytest.mark.parametrize("first", range(1000, 11_000, 500))
def test_ten_thousand_histories_have_the_end_that_the_facts_say(cast: Cast, first: int):
    # Each is taken back: tables without statistics become slow when they grow.
    for number in range(first, first + 500, 50):
        with transaction.atomic():
            run(range(number, number + 50))
            transaction.set_rollback(True)


@pytest.mark.parametrize("number", range(2000, 2040 if IS_EVERY_CASE else 2002))
def test_verify_finds_nothing_after_any_request_of_a_history(cast: Cast, number: int):
    for request in history(number).requests:
        assert Caller(None).post("/batch/", batch(cast.web, *request)).status_code == 200
        assert verified() == []
    fold(cast.web.pk)
    assert verified() == []


@pytest.mark.parametrize("number", range(3000, 3040 if IS_EVERY_CASE else 3002))
def test_neither_the_division_into_requests_nor_a_retry_matters(cast: Cast, number: int):
    given = history(number)
    events = list(given.events)
    model = play(cast.web, given)
    check(cast.web, model, given)
    play(cast.web, given)
    check(cast.web, model, given)
    for project, requests in ((cast.app, [events]), (cast.globex_web, [[each] for each in events])):
        check(project, play(project, History(number, requests)), given)


def test_the_sample_has_all_kinds_of_what_happens():
    models = []
    for number in range(60):
        model = Model(number)
        for event in history(number).events:
            model.apply(event)
        models.append(model)
    gone = [person for model in models for person in model.gone]
    personless = [model.owners.get(each) for model in models for each, person in model.events.values() if not person]
    repeated = sum(sum(1 for _ in history(number).events) - len(model.events) for number, model in enumerate(models))
    assert len(gone) >= 20
    assert len([person for person in gone if person.became and person.became.became]) >= 5
    assert sum(model.refused_merges for model in models) >= 5
    assert len([owner for owner in personless if owner]) >= 5
    assert len([owner for owner in personless if not owner]) >= 5
    assert repeated >= 20
