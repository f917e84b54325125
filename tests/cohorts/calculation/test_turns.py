"""Organizations take turns in the queue, and what nobody wants any more is not computed to its end."""

import threading
import time
from typing import Any

from django.db import connection, transaction

from cohorts.calculation.refresh import by_turns
from cohorts.calculation.run import calculate
from cohorts.models import Calculation, Cohort
from tests.conftest import Caller, Cast
from tests.support.cohorts.people import all_of, leaf, person

FILTERS = all_of(leaf("name", value="a"))


def create(caller: Caller, project: Any) -> int:
    response = caller.post(f"/api/projects/{project.pk}/cohorts/", {"filters": FILTERS})
    assert response.status_code == 201, response.json()
    return response.json()["id"]


def taken() -> list[int]:
    """Return the cohorts of the waiting jobs, in the order in which a worker takes them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (args ->> 'cohort_id')::int FROM procrastinate_jobs WHERE status = 'todo'"
            " ORDER BY priority DESC, id"
        )
        return [key for (key,) in cursor.fetchall()]


def begin(cohort_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE lock = %s", [f"cohort:{cohort_id}"])


def end(cohort_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE lock = %s", [f"cohort:{cohort_id}"])


def test_organizations_take_turns(cast: Cast, alice: Caller):
    dave = cast.caller(cast.dave)
    first = [create(alice, cast.web) for _ in range(4)]
    second = [create(dave, cast.globex_web) for _ in range(2)]
    assert taken() == [first[0], second[0], first[1], second[1], *first[2:]]


def test_a_new_cohort_of_another_organization_is_next(cast: Cast, alice: Caller):
    dave = cast.caller(cast.dave)
    many = [create(alice, cast.web) for _ in range(6)]
    for key in many[:2]:
        begin(key)
    end(many[0])
    theirs = create(dave, cast.globex_web)
    assert taken()[0] == theirs


def test_nobody_waits_for_ever(cast: Cast, alice: Caller):
    dave = cast.caller(cast.dave)
    many = [create(alice, cast.web) for _ in range(3)]
    waited = 0
    while many[-1] in (order := taken()):
        # One organization asks for another calculation whenever one of its own begins.
        begin(order[0])
        if order[0] not in many:
            waited += 1
        create(dave, cast.globex_web)
        end(order[0])
        assert waited < 5
    assert waited >= 2


def test_the_two_projects_of_an_organization_share_its_turns(cast: Cast, alice: Caller):
    dave = cast.caller(cast.dave)
    first = [create(alice, cast.web), create(alice, cast.app), create(alice, cast.web)]
    theirs = create(dave, cast.globex_web)
    assert taken() == [first[0], theirs, first[1], first[2]]


def test_the_servers_own_work_comes_first(cast: Cast, alice: Caller):
    create(alice, cast.web)
    alice.patch(f"/api/projects/{cast.web.pk}/", {"timezone": "Europe/Berlin"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_name FROM procrastinate_jobs ORDER BY priority DESC, id")
        assert cursor.fetchone() == ("cohorts.tasks.calculate_dated_cohorts",)


def test_a_refresh_gives_each_project_its_share(cast: Cast):
    many = [Cohort(pk=number, project=cast.web) for number in range(3)]
    few = [Cohort(pk=number, project=cast.app) for number in (10, 11)]
    assert [each.pk for each in by_turns([*many, *few])] == [0, 10, 1, 11, 2]


def test_deleting_a_cohort_ends_its_calculation(committed_cast: Cast):
    cast, alice = committed_cast, committed_cast.caller(committed_cast.alice)
    person(cast.web, name="a")
    key = create(alice, cast.web)

    def compute() -> None:
        calculate(key)
        connection.close()

    worker = threading.Thread(target=compute)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE analytics_person IN ACCESS EXCLUSIVE MODE")  # it waits, as if it were slow
        worker.start()
        while not is_computing(key):
            time.sleep(0.02)
        deleting = threading.Thread(target=delete, args=(cast, alice, key))
        deleting.start()
        worker.join(10)
        deleting.join(10)
        assert not worker.is_alive()
    run = Calculation.objects.get(cohort=key)
    assert (run.error_code, run.finished_at is None) == ("interrupted", False)
    assert alice.get(f"/api/projects/{cast.web.pk}/cohorts/{key}/").json()["errors_calculating"] == 0


def is_computing(key: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # a transaction sees what was there at its first look
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND state = 'active'",
            [f"core6 computes cohort {key}"],
        )
        return cursor.fetchone() is not None


def delete(cast: Cast, alice: Caller, key: int) -> None:
    try:
        response = alice.patch(f"/api/projects/{cast.web.pk}/cohorts/{key}/", {"deleted": True})
        assert response.status_code == 200, response.json()
    finally:
        connection.close()
