"""Many clients at once: the same persons as one after the other, and no error."""

import time
from collections import Counter
from collections.abc import Callable
from random import Random
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from cohorts.models import Cohort, CohortMember
from core6.analytics.models import Event as StoredEvent
from core6.analytics.models import Person, PersonOverride
from core6.capture.folding import fold
from core6.diagnosis import integrity
from projects.models import Project
from tests.conftest import Cast, at_once
from tests.support.capture.sending import (
    event,
    event_owners,
    identified,
    merging,
    owners,
    person_of,
    persons,
    send,
    sent,
)
from tests.support.sampling import IS_EVERY_CASE

THREADS = 16
ROUNDS = 20 if IS_EVERY_CASE else 1


def together(project: Project, make: Callable[[int], list[dict[str, Any]]], threads: int = THREADS) -> None:
    """Send from all threads at once what each of them makes; every request must be accepted."""
    answers = at_once(threads, lambda number: send(project, *make(number)).status_code)
    assert Counter(answers) == {200: threads}


def repeat(events: list[dict[str, Any]]) -> Callable[[int], list[dict[str, Any]]]:
    return lambda _: events


def check(project: Project) -> None:
    """Each event and each id belongs to one who is there, also after the merges are written into the events."""
    uuids = {each.uuid for each in persons(project)}
    assert set(owners(project).values()) == uuids
    before = event_owners(project)
    assert set(before.values()) <= uuids
    overrides = dict(PersonOverride.objects.values_list("old_uuid", "new_uuid"))
    assert not overrides.keys() & uuids
    assert [each.name for each in integrity.findings() if each.state == "bad"] == []
    fold(project.pk)
    assert dict(StoredEvent.objects.filter(project_id=project.pk).values_list("uuid", "person_uuid")) == before
    assert not PersonOverride.objects.exists()


def test_sixteen_that_identify_the_same_two_ids_make_one_person(committed_cast: Cast):
    for round_number in range(ROUNDS):
        anna, anonymous = f"anna-{round_number}", f"anonymous-{round_number}"
        together(committed_cast.web, repeat([identified(anna, anonymous)]))
        assert person_of(committed_cast.web, anna).uuid == person_of(committed_cast.web, anonymous).uuid
        assert person_of(committed_cast.web, anna).is_identified
    assert len(persons(committed_cast.web)) == ROUNDS
    assert StoredEvent.objects.count() == THREADS * ROUNDS
    check(committed_cast.web)


def test_sixteen_that_identify_two_known_persons_make_one_person(committed_cast: Cast):
    for round_number in range(ROUNDS):
        anna, anonymous = f"anna-{round_number}", f"anonymous-{round_number}"
        sent(committed_cast.web, event("visit", anna), event("visit", anonymous, {"$set": {"a": 1}}))
        together(committed_cast.web, repeat([identified(anna, anonymous)]))
        assert person_of(committed_cast.web, anonymous).properties["a"] == 1
    assert len(persons(committed_cast.web)) == ROUNDS
    check(committed_cast.web)


def test_one_new_id_of_many_requests_is_one_person_with_all_they_set(committed_cast: Cast):
    together(committed_cast.web, lambda number: [event("visit", "anna", {"$set": {f"k{number}": number}})])
    (found,) = persons(committed_cast.web)
    assert {f"k{number}" for number in range(THREADS)} < found.properties.keys()
    check(committed_cast.web)


def test_one_uuid_of_many_requests_is_one_event(committed_cast: Cast):
    uuid = "01900000-0000-7000-8000-000000000001"
    together(committed_cast.web, lambda number: [event("visit", f"id-{number}", uuid=uuid)])
    assert StoredEvent.objects.count() == 1
    together(committed_cast.web, lambda _: [event("visit", "anna", {"$set_once": {"n": 1}}, uuid=uuid)])
    assert StoredEvent.objects.count() == 1


@pytest.mark.parametrize("name", ["$merge_dangerously", "$identify"])
def test_a_circle_of_merges_at_once_is_no_deadlock(committed_cast: Cast, name: str):
    """A into B, B into C, C into A: by some threads in one request, by others in three."""
    ids = ["a", "b", "c"]

    def merge(number: int) -> list[dict[str, Any]]:
        steps = [(ids[(number + i) % 3], ids[(number + i + 1) % 3]) for i in range(3 if number % 2 else 1)]
        field = "$anon_distinct_id" if name == "$identify" else "alias"
        return [event(name, into, {field: other}) for other, into in steps]

    for _ in range(ROUNDS):
        Person.objects.all().delete()
        connection.cursor().execute("TRUNCATE analytics_distinctid, analytics_event, analytics_personoverride")
        sent(committed_cast.web, *(event("visit", each, {"$set": {each: 1}}) for each in ids))
        together(committed_cast.web, merge)
        if name == "$merge_dangerously":
            (found,) = persons(committed_cast.web)
            assert set(ids) < found.properties.keys()
        check(committed_cast.web)


def test_random_merges_of_ids_in_any_order_are_no_deadlock(committed_cast: Cast):
    """Batches of several merges each, which want the same persons in different orders, while merges are folded."""
    ids = [f"id-{number}" for number in range(12)]
    sent(committed_cast.web, *(event("visit", each) for each in ids))

    def work(number: int) -> int:
        randoms = Random(number)
        if number == 0:
            for _ in range(5):
                fold(committed_cast.web.pk)
            return 200
        statuses = []
        for _ in range(3):
            pairs = [randoms.sample(ids, 2) for _ in range(4)]
            events = [event("$merge_dangerously", into, {"alias": other}) for into, other in pairs]
            statuses.append(send(committed_cast.web, *events, event("visit", randoms.choice(ids))).status_code)
        return max(statuses)

    assert Counter(at_once(8, work)) == {200: 8}
    check(committed_cast.web)


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_members_of_a_static_cohort_that_are_merged_at_once_are_counted_right(committed_cast: Cast, round_number: int):
    project = committed_cast.web
    ids = [f"id-{round_number}-{number}" for number in range(THREADS)]
    sent(project, *(event("visit", each) for each in [*ids, "survivor"]))
    found = owners(project)
    cohorts = [Cohort.objects.create(project=project, is_static=True, count=THREADS) for _ in range(3)]
    CohortMember.objects.bulk_create(
        CohortMember(project_id=project.pk, cohort_id=cohort.pk, person_uuid=found[each])
        for cohort in cohorts
        for each in ids
    )

    def merge(number: int) -> list[dict[str, Any]]:
        """Half of them into one, the others each into a neighbour."""
        into = "survivor" if number % 2 else ids[number - 2]
        return [event("$merge_dangerously", into, {"alias": ids[number]})]

    together(project, merge)
    uuids = {each.uuid for each in persons(project)}
    for cohort in cohorts:
        members = set(CohortMember.objects.filter(cohort_id=cohort.pk).values_list("person_uuid", flat=True))
        assert members == uuids
        cohort.refresh_from_db()
        assert cohort.count == len(members)
    check(project)


def test_a_cohort_is_counted_after_the_merges_that_were_faster(committed_cast: Cast):
    """The second request counts members while those of the first are changed, and not committed."""
    project, counted = committed_cast.web, Event()
    ids = ["a", "b", "c", "d"]
    sent(project, *(event("visit", each) for each in ids))
    cohort = Cohort.objects.create(project=project, is_static=True, count=4)
    CohortMember.objects.bulk_create(
        CohortMember(project_id=project.pk, cohort_id=cohort.pk, person_uuid=uuid) for uuid in owners(project).values()
    )

    def slowly(execute: Any, sql: str, *arguments: Any) -> Any:
        found = execute(sql, *arguments)
        if "UPDATE cohorts_cohort" in sql:
            counted.set()
            time.sleep(0.5)
        return found

    def work(number: int) -> int:
        if number:
            assert counted.wait(10)
            return int(send(project, merging("$create_alias", "c", "d")).status_code)
        with connection.execute_wrapper(slowly):
            return int(send(project, merging("$create_alias", "a", "b")).status_code)

    assert at_once(2, work) == [200, 200]
    cohort.refresh_from_db()
    assert cohort.count == CohortMember.objects.count() == 2


def test_requests_of_two_projects_do_not_meet(committed_cast: Cast):
    projects = [committed_cast.web, committed_cast.app, committed_cast.globex_web]
    answers = at_once(
        12, lambda number: send(projects[number % 3], identified("anna", f"anonymous-{number}")).status_code
    )
    assert Counter(answers) == {200: 12}
    for number, project in enumerate(projects):
        assert len(persons(project)) == 1
        assert owners(project).keys() == {"anna", *(f"anonymous-{each}" for each in range(12) if each % 3 == number)}


def test_two_batches_that_share_uuids_in_other_orders_are_no_deadlock(committed_cast: Cast):
    uuids = [str(UUID(int=number + 1)) for number in range(60)]

    def make(number: int) -> list[dict[str, Any]]:
        shuffled = Random(number).sample(uuids, len(uuids))
        return [event("visit", f"id-{number}", uuid=uuid) for uuid in shuffled]

    together(committed_cast.web, make, threads=8)
    assert StoredEvent.objects.count() == len(uuids)
    check_persons = {each.uuid for each in persons(committed_cast.web)}
    assert set(event_owners(committed_cast.web).values()) <= check_persons
