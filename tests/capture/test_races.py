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
from core6.analytics.models import PersonOverride
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
    project = committed_cast.web
    for number in range(ROUNDS * 2):
        anna, anonymous = f"anna-{number}", f"anonymous-{number}"
        if number % 2:
            sent(project, event("visit", anna), event("visit", anonymous, {"$set": {"a": 1}}))
        together(project, repeat([identified(anna, anonymous)]))
        found = person_of(project, anna)
        assert found.uuid == person_of(project, anonymous).uuid
        assert found.is_identified
        assert found.properties.get("a") == (1 if number % 2 else None)
    assert len(persons(project)) == ROUNDS * 2
    check(project)


def test_what_many_requests_share_is_stored_once(committed_cast: Cast):
    project, uuid = committed_cast.web, "01900000-0000-7000-8000-000000000001"
    together(project, lambda number: [event("visit", f"id-{number}", uuid=uuid)], 8)
    together(project, lambda _: [event("visit", "anna", {"$set_once": {"n": 1}}, uuid=uuid)], 8)
    assert StoredEvent.objects.count() == 1
    together(project, lambda number: [event("visit", "anna", {"$set": {f"k{number}": number}})], 8)
    assert {f"k{number}" for number in range(8)} < person_of(project, "anna").properties.keys()
    assert StoredEvent.objects.count() == 9
    check(project)


def test_a_circle_of_merges_at_once_is_no_deadlock(committed_cast: Cast):
    """A into B, B into C, C into A: by some threads in one request, by others in three."""
    for number in range(ROUNDS):
        ids = [f"a-{number}", f"b-{number}", f"c-{number}"]
        sent(committed_cast.web, *(event("visit", each, {"$set": {each: 1}}) for each in ids))
        for name in ("$identify", "$merge_dangerously"):
            together(committed_cast.web, circle(name, ids))
        assert set(ids) < person_of(committed_cast.web, ids[0]).properties.keys()
    assert len(persons(committed_cast.web)) == ROUNDS
    check(committed_cast.web)


def circle(name: str, ids: list[str]) -> Callable[[int], list[dict[str, Any]]]:
    return lambda number: [
        merging(name, ids[(number + i + 1) % 3], ids[(number + i) % 3]) for i in range(3 if number % 2 else 1)
    ]


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


@pytest.mark.whole
def test_requests_of_two_projects_do_not_meet(committed_cast: Cast):
    projects = [committed_cast.web, committed_cast.app, committed_cast.globex_web]
    answers = at_once(
        12, lambda number: send(projects[number % 3], identified("anna", f"anonymous-{number}")).status_code
    )
    assert Counter(answers) == {200: 12}
    for number, project in enumerate(projects):
        assert len(persons(project)) == 1
        assert owners(project).keys() == {"anna", *(f"anonymous-{each}" for each in range(12) if each % 3 == number)}


@pytest.mark.whole
def test_two_batches_that_share_uuids_in_other_orders_are_no_deadlock(committed_cast: Cast):
    uuids = [str(UUID(int=number + 1)) for number in range(60)]

    def make(number: int) -> list[dict[str, Any]]:
        shuffled = Random(number).sample(uuids, len(uuids))
        return [event("visit", f"id-{number}", uuid=uuid) for uuid in shuffled]

    together(committed_cast.web, make, threads=8)
    assert StoredEvent.objects.count() == len(uuids)
    check_persons = {each.uuid for each in persons(committed_cast.web)}
    assert set(event_owners(committed_cast.web).values()) <= check_persons
