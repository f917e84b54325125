"""When a job is tried again after a failure of the database, and when all jobs are done."""

from datetime import UTC, datetime

import procrastinate
import psycopg
import pytest
from django.db import DatabaseError, InternalError, OperationalError, ProgrammingError, connection, transaction
from procrastinate.contrib.django import app
from procrastinate.jobs import Job

from core6 import jobs


def failure(kind: type[DatabaseError], cause: psycopg.Error | None) -> DatabaseError:
    error = kind("failed")
    error.__cause__ = cause
    return error


def waits(error: Exception, attempts: int) -> float | None:
    job = Job(id=1, queue="default", lock=None, queueing_lock=None, task_name="x", attempts=attempts)
    decision = jobs.RetryWhenDatabaseFails().get_retry_exception(error, job)
    if decision is None:
        return None
    assert decision.retry_decision.retry_at is not None
    return (decision.retry_decision.retry_at - datetime.now(UTC)).total_seconds()


AWAY = [
    failure(OperationalError, None),
    failure(OperationalError, psycopg.errors.ConnectionFailure()),
    failure(OperationalError, psycopg.errors.AdminShutdown()),
    failure(InternalError, psycopg.errors.IdleInTransactionSessionTimeout()),
]


@pytest.mark.parametrize("error", AWAY)
def test_an_outage_is_no_failure_however_long_it_is(error: Exception):
    assert [round(waits(error, attempts) or 0) for attempts in (0, 1, 2, 3, 50, 10_000)] == [3, 9, 27, 60, 60, 60]


def test_other_failures_of_the_database_count():
    error = failure(OperationalError, psycopg.errors.DiskFull())
    assert waits(error, 9) == pytest.approx(60, abs=1)
    assert waits(error, 10) is None


@pytest.mark.parametrize("error", [ValueError(), failure(ProgrammingError, psycopg.errors.UndefinedTable())])
def test_what_is_no_matter_of_the_database_is_not_tried_again(error: Exception):
    assert waits(error, 0) is None


@pytest.mark.django_db(transaction=True)
def test_a_worker_queues_a_job_in_its_transaction():
    """Another worker must not run it before what it is about is committed."""
    connector = procrastinate.PsycopgConnector()  # as a worker has one beside Django's
    with app.replace_connector(connector), transaction.atomic():
        jobs.enqueue("cohorts.tasks.calculate_cohort", lock="x", is_unique=True, cohort_id=1)
        assert jobs.exists(["x"], is_running_too=False)
        transaction.set_rollback(True)
    assert not jobs.exists(["x"], is_running_too=False)


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db
def test_requested_jobs_are_waited_for_and_periodic_ones_are_not():
    execute("INSERT INTO procrastinate_jobs (task_name, queue_name) VALUES ('core6.tasks.x', 'default')")
    assert jobs.wait_until_done(0.02)
    jobs.enqueue("cohorts.tasks.calculate_cohort", lock="x", is_unique=True, cohort_id=1)
    assert not jobs.wait_until_done(0.02)
    execute("UPDATE procrastinate_jobs SET status = 'succeeded'")
    assert jobs.wait_until_done(0.02)


@pytest.mark.django_db
def test_a_job_worker_is_waited_for_where_one_is_needed():
    execute("DELETE FROM procrastinate_workers")
    assert not jobs.wait_until_done(0.02, needs_worker=True)
    execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
    assert jobs.wait_until_done(0.02, needs_worker=True)
