"""`manage.py doctor`: it reports a healthy server, and each trouble with its name and advice; it changes nothing."""

import io
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import OperationalError, ProgrammingError, connection, connections
from django.test.utils import CaptureQueriesContext

from cohorts.models import Calculation, Cohort
from core6.database.data_directory import Unusable
from core6.diagnosis import activity, doctor, machine, postgres, texts
from core6.diagnosis.checks import EXAMPLES
from core6.diagnosis.findings import Finding, Question, Report
from core6.idempotency.models import Answer
from tests.conftest import Cast
from tests.support.cohorts.people import all_of, leaf, person, work
from tests.support.key_text import lines_with_keys
from tests.support.places import connect, place
from tests.support.sampling import sampled
from tests.support.serving import manage, serving, started_place, wait_until

NAMES = [question.name for question in doctor.QUESTIONS]
#: Which most servers do without, so that there is no finding of them.
OF_SOME = ("pooler", "replica", "nodes")
OF_DATABASE = [each.name for each in doctor.QUESTIONS if each.needs_database and each.name not in OF_SOME]
PASSWORD = "hidden-of-the-database"
LONG_KEY = "Zk3v9q1LxT7wB5nR8mC2yU6eH4aJ0dGfSpOiWbVtQsKj"
GIGABYTE = 1024**3


def ask(name: str) -> list[Finding]:
    (question,) = [each for each in doctor.QUESTIONS if each.name == name]
    return doctor.answer(question)


def only(name: str) -> Finding:
    (found,) = ask(name)
    return found


def is_sentence(text: str) -> bool:
    return text[:1].isupper() and text.endswith(".")


def execute(*statements: str, **known: Any) -> None:
    with connection.cursor() as cursor:
        for each in statements:
            cursor.execute(each.format(**known) if known else each)


def fill_disk(monkeypatch: pytest.MonkeyPatch, free: float, total: float = 100 * GIGABYTE) -> None:
    monkeypatch.setattr(psutil, "disk_usage", lambda _: SimpleNamespace(free=free, total=total))


def as_deployed(settings: Any) -> None:
    """Set what a sound deployment beside a database server has."""
    settings.IS_EMBEDDED = settings.IS_SECRET_KEY_GENERATED = settings.DEBUG = False
    settings.IS_PRODUCTION = settings.IS_BEHIND_PROXY = True
    settings.DATABASE_URL = f"postgres://core6:{PASSWORD}@db.example.com/core6"
    settings.SECRET_KEY = "x9" * 3 + LONG_KEY
    settings.ENCRYPTION_KEYS = [LONG_KEY]
    settings.ALLOWED_HOSTS = ["api.example.com", "testserver"]
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.com"]


@pytest.fixture(scope="module", autouse=True)
def vacuumed(django_db_setup: None, django_db_blocker: Any) -> None:
    """Remove the dead rows that the tests of other files left: a warning of them is right."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("VACUUM")


@pytest.fixture
def deployed(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    as_deployed(settings)
    fill_disk(monkeypatch, 50 * GIGABYTE)
    return settings


@pytest.fixture
def world(cast: Cast, deployed: Any) -> Cast:
    """A deployment whose worker has just given a sign of life."""
    execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
    return cast


def job(task: str, *, status: str = "todo", lock: str = "x", since: str = "0 s") -> tuple[str, ...]:
    """Return statements that queue a job and bring it to a state, in which it has been for a while."""
    return (
        f"INSERT INTO procrastinate_jobs (queue_name, task_name, lock) VALUES ('default', '{task}', '{lock}')",
        f"UPDATE procrastinate_jobs SET status = '{status}' WHERE task_name = '{task}'",
        (
            f"UPDATE procrastinate_events e SET at = now() - interval '{since}'"
            f" FROM procrastinate_jobs j WHERE j.id = e.job_id AND j.task_name = '{task}'"
        ),
    )


def cohort(cast: Cast, name: str = "paying", **given: Any) -> Cohort:
    return Cohort.objects.create(project=cast.web, name=name, filters=all_of(leaf("plan", value="pro")), **given)


def failing(
    cast: Cast, name: str = "broken", error: str = "no such thing", code: str = "unknown", **more: Any
) -> Cohort:
    made = cohort(cast, name, **{"errors_calculating": 1, **more})
    Calculation.objects.create(cohort=made, finished_at=made.created_at, error=error, error_code=code)
    return made


def of_cohort(key: int) -> dict[str, Any]:
    return all_of({"type": "cohort", "key": "id", "value": key})


# All is well.


def test_a_healthy_server_is_all_ok(world: Cast):
    cohort(world)
    found = doctor.findings()
    assert [each for each in found if each.state != "ok"] == []
    assert [each.name for each in found] == [
        name for name in NAMES if name not in ("data directory", "serve", "web server", *OF_SOME)
    ]
    assert not any(each.advice for each in found)


def test_the_command_of_a_healthy_server_ends_well(world: Cast):
    out = io.StringIO()
    call_command("doctor", stdout=out)
    shown = out.getvalue()
    assert "→" not in shown
    assert all(name in shown for name in OF_DATABASE)


def test_an_empty_database_is_no_trouble(db: None, deployed: Any):
    found = doctor.findings()
    assert {each.name for each in found if each.state != "ok"} == {"job workers"}
    assert [each.state for each in found if each.name == "job workers"] == ["warning"]


def test_names_are_each_of_one_question():
    assert len(set(NAMES)) == len(NAMES)
    assert all(name == name.lower() for name in NAMES)


def test_what_is_looked_at_is_reported_with_figures(world: Cast):
    messages = {each.name: each.message for each in doctor.findings()}
    assert "PostgreSQL" in messages["database"]
    assert connection.settings_dict["NAME"] in messages["database"]
    assert " used" in messages["connections"]
    assert "largest tables: " in messages["sizes"]
    assert messages["sizes"].count(", ") == 4
    assert messages["jobs"] == "0 wait; 0 run"
    assert "had its last heartbeat 0 s ago" in messages["job workers"]
    assert messages["clock"].endswith(" s")
    assert "53.7 GB of 107 GB free (50%)" in messages["disk"]


# Troubles that statements make: name, state, a part of the message, a part of the advice.

_WORKER_AT = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '{}'"
_NO_WORKER = "DELETE FROM procrastinate_workers"
_ITS_JOB = "UPDATE procrastinate_jobs SET worker_id = (SELECT max(id) FROM procrastinate_workers)"
TROUBLES: list[tuple[tuple[str, ...], str, str, str, str]] = [
    (
        ("DELETE FROM django_migrations WHERE app = 'idempotency'",),
        *("migrations", "bad", "not applied: idempotency.0001", "Start `serve` of this release"),
    ),
    (
        ("DELETE FROM django_migrations WHERE app <> 'contenttypes'",),
        *("migrations", "bad", " more", "migrate"),
    ),
    (
        ("INSERT INTO django_migrations (app, name, applied) VALUES ('cohorts', '9999_of_tomorrow', now())",),
        *("migrations", "warning", "of another release: cohorts.9999_of_tomorrow", "Run the release"),
    ),
    ((_NO_WORKER,), "job workers", "warning", "none lives", "manage.py worker"),
    ((_NO_WORKER, *job("a")), "job workers", "bad", "none lives; waiting jobs: 1", "manage.py worker"),
    (
        (_WORKER_AT.format("1 hour"), *job("a")),
        *("job workers", "bad", "the last heartbeat was 60 min ago; waiting jobs: 1", "without --no-worker"),
    ),
    ((_WORKER_AT.format("11 s"),), "job workers", "warning", "11 s ago", "cohorts are not computed"),
    (job("a", since="6 min"), "jobs", "warning", "1 wait, the oldest for 6 min", "run another"),
    (job("a", since="3 days"), "jobs", "warning", "the oldest for 3 days", "See the workers"),
    (
        (*job("a", status="doing", since="11 min"), _ITS_JOB),
        *("jobs", "warning", "1 run, the longest for 11 min", "restart the worker"),
    ),
    (
        (*job("cohorts.tasks.x", status="failed", since="2 h"), *job("core6.y", status="failed")),
        *("failed jobs", "warning", "1 of cohorts.tasks.x, the last 2 h ago; 1 of core6.y", "The worker's log"),
    ),
    (
        tuple(each for number in range(7) for each in job(f"t{number}", status="failed", lock=f"l{number}")),
        *("failed jobs", "warning", "and 2 more", "The worker's log"),
    ),
    (
        (*job("a", status="doing", since="41 s"),),
        *("stuck jobs", "bad", "their worker is dead: job ", "Start a worker"),
    ),
    (
        (*job("a", status="doing"), _WORKER_AT.format("41 s"), _ITS_JOB),
        *("stuck jobs", "bad", ": a", "takes them over"),
    ),
    (
        ("ALTER TABLE cohorts_cohortmember SET (autovacuum_enabled = off)",),
        *("vacuum", "warning", "off for cohorts_cohortmember", "ALTER TABLE cohorts_cohortmember RESET"),
    ),
    (
        (
            (
                "INSERT INTO revisions_revision (organization_id, number)"
                " SELECT (SELECT min(id::text)::uuid FROM accounts_organization), i FROM generate_series(1, 1001) i"
            ),
        ),
        *("growth", "warning", "revisions of an organization", "manage.py verify"),
    ),
]
#: What looks like a trouble and is none.
SOUND: list[tuple[tuple[str, ...], str]] = [
    (job("a", since="4 min"), "jobs"),
    ((*job("a", since="1 h"), "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 h'"), "jobs"),
    (
        (_NO_WORKER, "INSERT INTO procrastinate_workers DEFAULT VALUES", _WORKER_AT.format("9 s"), *job("a")),
        "job workers",
    ),
    (job("a", status="doing", since="9 min"), "jobs"),
    (job("a", status="doing", since="39 s"), "stuck jobs"),
    (job("a", status="succeeded", since="3 days"), "jobs"),
    (job("a", status="cancelled", since="3 days"), "failed jobs"),
    (("ALTER TABLE cohorts_cohortmember SET (autovacuum_enabled = on)",), "vacuum"),
    (("ALTER TABLE cohorts_cohortmember SET (fillfactor = 90)",), "vacuum"),
]


@pytest.mark.parametrize(("statements", "name", "state", "message", "advice"), TROUBLES)
def test_a_trouble_is_reported_with_what_to_do(
    world: Cast, statements: tuple[str, ...], name: str, state: str, message: str, advice: str
):
    execute(*statements)
    found = only(name)
    assert found.state == state
    assert message in found.message
    assert advice in found.advice
    assert is_sentence(found.advice)


@pytest.mark.parametrize(("statements", "name"), SOUND)
def test_what_only_looks_like_a_trouble_is_none(world: Cast, statements: tuple[str, ...], name: str):
    execute(*statements)
    assert [each.state for each in ask(name)] == ["ok"]


def test_a_job_of_later_waits_for_nobody(world: Cast):
    execute(*job("a", since="1 h"), "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 h'", _NO_WORKER)
    assert only("jobs").message == "0 wait; 0 run"
    assert (only("job workers").state, only("job workers").message) == ("warning", "none lives")


def test_jobs_are_counted_over_all_tasks(world: Cast):
    for number in range(3):
        execute(*job(f"t{number}", since=f"{number} min"))
    execute(*job("u", status="doing", since="30 s"))
    assert only("jobs").message == "3 wait, the oldest for 2 min; 1 run, the longest for 30 s"


def test_answers_that_are_kept_for_too_long(world: Cast):
    caller = world.caller(world.alice)
    once = {"headers": {"Idempotency-Key": "one"}}
    at = f"/api/projects/{world.web.pk}/annotations/"
    assert caller.post(at, {"content": "once", "scope": "project"}, **once).status_code == 201
    assert Answer.objects.count() == 1
    assert only("growth").state == "ok"
    execute("UPDATE idempotency_answer SET created_at = now() - interval '26 h'")
    found = only("growth")
    assert (found.state, "(1)" in found.message) == ("warning", True)
    assert "Start a worker" in found.advice


# Cohorts.


def test_a_failing_cohort_is_named_with_its_cause_and_what_to_do(world: Cast):
    made = failing(world, "Power users", "invalid regular expression: brackets [] not balanced", "invalid_regex")
    execute("UPDATE cohorts_cohort SET last_error_at = now() - interval '5 min'")
    found = only("failing cohorts")
    assert found.state == "warning"
    assert found.message == (
        f"cohort {made.pk} “Power users” of project {world.web.pk} failed once, last 5 min ago:"
        " invalid regular expression: brackets [] not balanced"
    )
    assert found.advice == "Correct it and save the cohort."


@pytest.mark.parametrize(
    ("code", "state", "advice"),
    [
        ("timeout", "bad", "Use fewer conditions or shorter times."),
        ("memory_limit", "bad", "Use fewer conditions."),
        ("capacity", "bad", "The server will automatically retry."),
        ("interrupted", "bad", "The server will automatically retry."),
        ("unknown", "bad", "Check its conditions and save it again."),
        ("query_size", "warning", "Use fewer conditions or shorter lists."),
        ("invalid_regex", "warning", "Correct it and save the cohort."),
        ("no_properties", "warning", "Add a condition."),
        ("incompatible_types", "warning", "Check its conditions and save it again."),
        ("validation_error", "warning", "Check its conditions and save it again."),
    ],
)
def test_state_and_advice_are_those_of_the_kind_of_failure(world: Cast, code: str, state: str, advice: str):
    """A cohort that fails by its own definition is a matter of its author: the server is well."""
    failing(world, code=code)
    found = only("failing cohorts")
    assert (found.state, found.advice) == (state, advice)


def test_those_that_fail_by_their_definition_hide_none_that_fails_otherwise(world: Cast):
    failing(world, "slow", "timed out", "timeout")
    execute("UPDATE cohorts_cohort SET last_error_at = now() - interval '3 d'")
    for number in range(6):
        failing(world, f"wrong {number}", "invalid regular expression", "invalid_regex")
    found = ask("failing cohorts")
    assert [each.state for each in found] == ["bad", *["warning"] * 6]
    assert "“slow”" in found[0].message
    assert found[1].message == "6 cohorts fail by their definition; the latest 5 follow"


def test_cohorts_that_fail_by_their_definition_do_not_end_the_command_badly(world: Cast):
    failing(world, "Power users", "invalid regular expression", "invalid_regex")
    out = io.StringIO()
    call_command("doctor", stdout=out)
    assert "“Power users”" in out.getvalue()


def test_a_cohort_with_a_bad_expression_that_was_calculated_shows_its_message(world: Cast):
    caller = world.caller(world.alice)
    person(world.web, "ann", plan="pro")
    body = {"name": "of a bad expression", "filters": all_of(leaf("plan", "regex", "["))}
    made = caller.post(f"/api/projects/{world.web.pk}/cohorts/", body).json()["id"]
    assert only("failing cohorts").state == "ok"
    work()
    found = only("failing cohorts")
    assert found.state == "warning"
    assert f"cohort {made} “of a bad expression” of project {world.web.pk} failed once" in found.message
    assert "A bracket in a regular expression is not closed: [" in found.message
    assert found.advice == "Correct it and save the cohort."


def test_the_latest_message_counts(world: Cast):
    made = failing(world, error="the first")
    Calculation.objects.create(cohort=made, finished_at=made.created_at, error="the second", error_code="timeout")
    Calculation.objects.create(cohort=made, finished_at=made.created_at, count=3)
    assert "the second" in only("failing cohorts").message


def test_a_failure_without_a_calculation_is_reported(world: Cast):
    cohort(world, errors_calculating=2)
    found = only("failing cohorts")
    assert found.state == "bad"
    assert "failed 2 times: its calculation ended without a word" in found.message
    assert found.advice


def test_who_failed_too_often_is_left_alone_which_is_reported(world: Cast):
    failing(world, errors_calculating=21)
    assert "only once it is saved" in only("failing cohorts").advice


def test_deleted_and_recovered_cohorts_do_not_fail(world: Cast):
    failing(world, deleted=True)
    failing(world, errors_calculating=0)
    assert only("failing cohorts").state == "ok"


def test_a_cohort_without_a_name_is_reported_by_its_number(world: Cast):
    made = failing(world)
    Cohort.objects.update(name=None)
    assert f"cohort {made.pk} “” of project" in only("failing cohorts").message


def test_a_hundred_failing_cohorts_are_summed_up_with_five_and_no_more_queries(world: Cast):
    def look() -> tuple[int, list[Finding]]:
        with CaptureQueriesContext(connection) as queries:
            found = ask("failing cohorts") + ask("waiting cohorts") + ask("long calculations") + ask("failed jobs")
        return len(queries), found

    failing(world)
    asked, found = look()
    assert len(found) == 4
    for number in range(99):
        failing(world, f"broken {number}", is_calculating=number % 2 == 0)
    asked_of_many, found = look()
    assert asked_of_many == asked
    of_failing = [each for each in found if each.name == "failing cohorts"]
    assert of_failing[0].message == "100 cohorts fail; the latest 5 follow"
    assert len(of_failing) == 6
    of_waiting = [each for each in found if each.name == "waiting cohorts"]
    assert (len(of_waiting), of_waiting[-1].message[:3]) == (6, "50 ")


def test_the_whole_asks_as_much_of_many_as_of_few(world: Cast):
    def look() -> int:
        with CaptureQueriesContext(connection) as queries:
            doctor.findings()
        return len(queries)

    failing(world)
    few = look()
    for number in range(20):
        failing(world, f"broken {number}", is_calculating=True)
        execute(*job(f"t{number}", lock=f"cohort:{number}", status="failed"))
    assert look() == few


def test_every_statement_only_reads(world: Cast):
    failing(world)
    with CaptureQueriesContext(connection) as queries:
        doctor.findings()
    harmless = ("SELECT", "SAVEPOINT", "ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT")
    assert [each["sql"] for each in queries if not each["sql"].lstrip().startswith(harmless)] == []


def test_a_cohort_that_calculates_without_a_job_is_reported(world: Cast):
    made = cohort(world, is_calculating=True)
    found = only("waiting cohorts")
    assert found.state == "bad"
    assert f"cohort {made.pk}" in found.message
    assert "no job for it is left" in found.message
    assert "frees it within a minute" in found.advice


@pytest.mark.parametrize("status", ["todo", "doing"])
def test_a_cohort_that_has_a_job_only_waits(world: Cast, status: str):
    made = cohort(world, is_calculating=True)
    execute(*job("a", lock=f"cohort:{made.pk}", status=status))
    found = only("waiting cohorts")
    assert (found.state, found.message) == ("ok", "1 are to be computed")


def test_a_cohort_that_waits_for_one_that_has_a_job_only_waits(world: Cast):
    awaited = cohort(world, is_calculating=True)
    waits = cohort(world, "waits", is_calculating=True)
    Cohort.objects.filter(pk=waits.pk).update(filters=of_cohort(awaited.pk))
    execute(*job("a", lock=f"cohort:{awaited.pk}"))
    assert only("waiting cohorts").message == "2 are to be computed"


def test_a_cohort_that_waits_for_one_that_fails_is_reported_with_it(world: Cast):
    cause = failing(world, "cause", is_calculating=True)
    between = cohort(world, "between")
    waits = cohort(world, "waits", is_calculating=True)
    Cohort.objects.filter(pk=between.pk).update(filters=of_cohort(cause.pk))
    Cohort.objects.filter(pk=waits.pk).update(filters=of_cohort(between.pk))
    execute(*job("a", lock=f"cohort:{cause.pk}"))
    found = only("waiting cohorts")
    assert found.state == "warning"
    assert f"cohort {waits.pk} “waits”" in found.message
    assert f"builds on cohort {cause.pk} “cause”" in found.message
    assert found.advice == "Correct the latter first."


def test_cohorts_that_refer_to_each_other_are_no_endless_loop(world: Cast):
    one, other = cohort(world, is_calculating=True), cohort(world, is_calculating=True)
    Cohort.objects.filter(pk=one.pk).update(filters=of_cohort(other.pk))
    Cohort.objects.filter(pk=other.pk).update(filters=of_cohort(one.pk))
    assert [each.state for each in ask("waiting cohorts")] == ["bad", "bad"]


def test_a_job_that_failed_computes_no_cohort(world: Cast):
    made = cohort(world, is_calculating=True)
    execute(*job("a", lock=f"cohort:{made.pk}", status="failed"))
    assert only("waiting cohorts").state == "bad"


def test_a_cohort_that_fails_does_not_wait_for_itself(world: Cast):
    made = failing(world, is_calculating=True)
    Cohort.objects.filter(pk=made.pk).update(filters=of_cohort(made.pk))
    execute(*job("a", lock=f"cohort:{made.pk}"))
    assert only("waiting cohorts").state == "ok"


def test_a_lock_that_is_no_cohorts_is_passed_over(world: Cast):
    for number, lock in enumerate(("cohort:", "cohort:x", "cohort:1:2", "cohort:99999999999999999999999", "other")):
        execute(*job(f"a{number}", lock=lock))
    assert only("waiting cohorts").state == "ok"


def test_a_calculation_that_takes_too_long_is_reported(world: Cast, settings: Any):
    settings.COHORT_CALCULATION_SECONDS = 60
    made = cohort(world, is_calculating=True)
    Calculation.objects.create(cohort=made)
    assert only("long calculations").state == "ok"
    execute("UPDATE cohorts_calculation SET started_at = now() - interval '5 min'")
    found = only("long calculations")
    assert found.state == "bad"
    assert f"cohort {made.pk}" in found.message
    assert "for 5 min" in found.message
    execute("UPDATE cohorts_calculation SET finished_at = now()")
    assert only("long calculations").state == "ok"


def test_many_calculations_that_take_too_long_are_summed_up(world: Cast):
    made = cohort(world)
    for _ in range(8):
        Calculation.objects.create(cohort=made)
    execute("UPDATE cohorts_calculation SET started_at = now() - interval '1 h'")
    found = ask("long calculations")
    assert len(found) == 6
    assert found[-1].message.startswith("8 calculations")


# Other connections.


@contextmanager
def other_connection() -> Iterator[Any]:
    other = connections.create_connection("default")
    try:
        yield other
    finally:
        other.close()


def test_a_transaction_in_which_nothing_happens_is_reported(world: Cast, monkeypatch: pytest.MonkeyPatch):
    with other_connection() as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT pg_backend_pid()")
        process = cursor.fetchone()[0]
        assert only("idle transactions").state == "ok"
        monkeypatch.setattr(activity, "IDLE_SECONDS", -3600)
        found = ask("idle transactions")
        assert {each.state for each in found} == {"bad"}
        (named,) = [each for each in found if f"process {process} of" in each.message]
        assert named.advice == f"It keeps its locks. End it: SELECT pg_terminate_backend({process})."


def test_a_statement_that_runs_for_long_is_reported_but_not_what_it_says(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
):
    begun, processes = threading.Event(), []

    def run() -> None:
        with other_connection() as other, other.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            processes.append(cursor.fetchone()[0])
            begun.set()
            with suppress(OperationalError):  # it is ended below
                cursor.execute("SELECT pg_sleep(9), 'what nobody is to see'")

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert begun.wait(10)
        monkeypatch.setattr(activity, "STATEMENT_RUNS_SECONDS", -3600)
        found = wait_until(lambda: [each for each in ask("long statements") if each.state != "ok"], "statement")
        assert [each.state for each in found] == ["warning"]
        assert f"process {processes[0]} of" in found[0].message
        assert "(SELECT)" in found[0].message
        assert "nobody is to see" not in found[0].message
        assert found[0].advice == f"If nobody needs it: SELECT pg_cancel_backend({processes[0]})."
    finally:
        execute(f"SELECT pg_terminate_backend({processes[0]})")
        ended(thread)


def ended(thread: threading.Thread) -> None:
    thread.join(10)
    assert not thread.is_alive()


def test_who_waits_for_a_lock_is_reported_with_who_holds_it(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch):
    def wait() -> None:
        with other_connection() as other, other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE annotations_annotation")

    with other_connection() as holder, holder.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE annotations_annotation")
        cursor.execute("SELECT pg_backend_pid()")
        process = cursor.fetchone()[0]
        thread = threading.Thread(target=wait)
        thread.start()
        monkeypatch.setattr(activity, "STATEMENT_RUNS_SECONDS", -3600)

        def blocked() -> list[Finding]:
            return [each for each in ask("long statements") if f"waits for process {process}" in each.message]

        (found,) = wait_until(blocked, "statement that waits")
        assert f"SELECT pg_terminate_backend({process})" in found.advice
        cursor.execute("ROLLBACK")
        ended(thread)


def test_a_table_that_is_locked_holds_nothing_up(committed_cast: Cast, deployed: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "LOCK_SECONDS", 0.1)
    with other_connection() as holder, holder.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE cohorts_calculation")
        began = time.monotonic()
        found = only("long calculations")
        assert time.monotonic() - began < 2
        cursor.execute("ROLLBACK")
    assert found.state == "bad"
    assert "could not be looked at: OperationalError: canceling statement due to lock timeout" in found.message
    assert only("long calculations").state == "ok"


def test_limits_do_not_stay_in_a_transaction_of_the_caller(world: Cast):
    def limits() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
            return cursor.fetchone()

    before = limits()
    ask("sizes")
    assert limits() == before


def test_limits_do_not_stay_on_the_connection(committed_cast: Cast, deployed: Any):
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        before = cursor.fetchone()
    ask("sizes")
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == before
    cohort(committed_cast)  # it can be written again


@pytest.mark.parametrize(("most", "worst", "state"), [(0.0, 1.0, "warning"), (0.0, 0.0, "bad"), (1.0, 1.0, "ok")])
def test_connections_that_are_used_up(
    world: Cast, monkeypatch: pytest.MonkeyPatch, most: float, worst: float, state: str
):
    monkeypatch.setattr(postgres, "USED_CONNECTIONS", most)
    monkeypatch.setattr(postgres, "MOST_USED_CONNECTIONS", worst)
    found = only("connections")
    assert (found.state, bool(found.advice)) == (state, state != "ok")


def test_a_database_that_is_too_old(world: Cast, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(postgres, "OLDEST_POSTGRES", 99)
    found = only("database")
    assert (found.state, found.advice) == ("bad", "Use PostgreSQL 99 or later.")


@pytest.mark.parametrize(
    ("skew", "state"), [(0.0, "ok"), (0.5, "ok"), (2.0, "warning"), (-2.0, "warning"), (40.0, "bad"), (-7200.0, "bad")]
)
def test_clocks_that_differ(world: Cast, monkeypatch: pytest.MonkeyPatch, skew: float, state: str):
    monkeypatch.setattr(postgres, "time", SimpleNamespace(time=lambda: time.time() + skew))
    found = only("clock")
    assert (found.state, "NTP" in found.advice) == (state, state != "ok")


def test_dead_rows(world: Cast, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(activity, "FEW_DEAD_ROWS", -1)
    monkeypatch.setattr(activity, "DEAD_SHARE", -1)
    found = ask("vacuum")
    assert len(found) == EXAMPLES
    assert all("dead rows beside" in each.message and "VACUUM" in each.advice for each in found)


# Without the database.


@pytest.mark.parametrize(
    ("free", "total", "state"),
    [
        (50 * GIGABYTE, 100 * GIGABYTE, "ok"),
        (9 * GIGABYTE, 100 * GIGABYTE, "warning"),
        (1 * GIGABYTE, 100 * GIGABYTE, "bad"),
        (0, 100 * GIGABYTE, "bad"),
        (GIGABYTE / 10, GIGABYTE / 5, "bad"),
        (0, 0, "bad"),
    ],
)
def test_a_full_disk(deployed: Any, monkeypatch: pytest.MonkeyPatch, free: float, total: float, state: str):
    fill_disk(monkeypatch, free, total)
    found = only("disk")
    assert (found.state, found.advice.startswith("Make room")) == (state, state != "ok")


def test_the_disk_of_a_directory_that_is_not_there_yet(deployed: Any):
    deployed.DATA_DIRECTORY = Path("/tmp/no/such/directory")
    assert only("disk").message.endswith(" at /tmp")


#: What the settings are, the state, a part of the message and of the advice.
SETTINGS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"DEBUG": True}, "bad", "DEBUG is on", "Set DEBUG=false"),
    ({"SECRET_KEY": "short"}, "bad", "SECRET_KEY can be guessed", "openssl rand"),
    ({"SECRET_KEY": "a" * 60}, "bad", "SECRET_KEY can be guessed", "openssl rand"),
    ({"SECRET_KEY": f"django-insecure-{LONG_KEY}"}, "bad", "SECRET_KEY can be guessed", "openssl rand"),
    ({"SECRET_KEY": f"change-me-{LONG_KEY}"}, "bad", "SECRET_KEY can be guessed", "openssl rand"),
    ({"ENCRYPTION_KEYS": [LONG_KEY, "short"]}, "bad", "ENCRYPTION_KEYS can be guessed", "reencrypt_secrets"),
    ({"ALLOWED_HOSTS": ["*"]}, "warning", "ALLOWED_HOSTS has *", "Name the hosts"),
    ({"ALLOWED_HOSTS": ["localhost", "[::1]"]}, "warning", "only this machine", "Add the name"),
    ({"CORS_ALLOWED_ORIGINS": ["http://a.example.com"]}, "warning", "http://a.example.com", "https://"),
    ({"IS_BEHIND_PROXY": False}, "warning", "api.example.com is served without https", "IS_BEHIND_PROXY=true"),
]


@pytest.mark.parametrize(("given", "state", "message", "advice"), SETTINGS)
def test_a_setting_that_is_not_well(deployed: Any, given: dict[str, Any], state: str, message: str, advice: str):
    assert only("settings").state == "ok"
    for name, value in given.items():
        setattr(deployed, name, value)
    found = only("settings")
    assert found.state == state
    assert message in found.message
    assert advice in found.advice
    assert is_sentence(found.advice)


def test_each_setting_that_is_not_well_is_reported(deployed: Any):
    deployed.DEBUG, deployed.SECRET_KEY, deployed.ALLOWED_HOSTS = True, "short", ["*"]
    assert [each.state for each in ask("settings")] == ["bad", "bad", "warning"]


@pytest.mark.parametrize("given", [{"DEBUG": True}, {"SECRET_KEY": "short"}, {"ALLOWED_HOSTS": ["localhost"]}])
def test_on_one_machine_for_its_own_use_more_will_do(deployed: Any, given: dict[str, Any]):
    deployed.IS_EMBEDDED, deployed.IS_PRODUCTION, deployed.IS_BEHIND_PROXY = True, False, False
    for name, value in given.items():
        setattr(deployed, name, value)
    assert only("settings").message == "as they should be for one machine"


def test_without_a_secret_key_before_the_first_start(deployed: Any):
    deployed.IS_EMBEDDED, deployed.IS_PRODUCTION, deployed.SECRET_KEY = True, False, ""
    with pytest.raises(ImproperlyConfigured):
        _ = deployed.SECRET_KEY
    assert only("settings").state == "ok"


@pytest.fixture
def embedded(deployed: Any) -> Iterator[Path]:
    """A data directory without a running `serve`, as files alone."""
    with place() as directory:
        deployed.IS_EMBEDDED, deployed.IS_PRODUCTION, deployed.IS_BEHIND_PROXY = True, False, False
        deployed.DATA_DIRECTORY = directory
        (directory / "postgres").mkdir()
        (directory / "postgres" / "PG_VERSION").write_text("18\n")
        for name in ("pgpass", "secret_key", "demo_key", "owner.lock"):
            (directory / name).write_text(f"*:*:*:*:{PASSWORD}\n" if name == "pgpass" else "\n")
            (directory / name).chmod(0o600)
        yield directory


def test_files_that_are_well(embedded: Path):
    found = only("data directory")
    assert (found.state, found.message) == ("ok", str(embedded))


@pytest.mark.parametrize("name", ["pgpass", "secret_key", "demo_key"])
def test_a_secret_file_that_others_can_read(embedded: Path, name: str):
    (embedded / name).chmod(0o640)
    found = only("data directory")
    assert (found.state, found.advice) == ("bad", f"Run `chmod 600 {embedded / name}`.")
    assert stat.S_IMODE((embedded / name).stat().st_mode) == 0o640


def test_a_directory_of_another_major_version(embedded: Path):
    (embedded / "postgres" / "PG_VERSION").write_text("12\n")
    found = only("data directory")
    assert found.state == "bad"
    assert "PostgreSQL 12" in found.message


def test_a_directory_that_is_not_there(deployed: Any):
    deployed.IS_EMBEDDED, deployed.DATA_DIRECTORY = True, Path("/tmp/no/such/directory")
    found = only("data directory")
    assert (found.state, "holds no database" in found.message) == ("bad", True)
    assert only("serve").state == "bad"
    assert ask("web server") == []


@pytest.mark.parametrize("note", ["", "no number", "-1", "0", str(2**31 - 1), str(2**70)])
def test_an_owner_that_is_no_process(embedded: Path, note: str):
    (embedded / "owner.lock").write_text(note)
    found = only("serve")
    assert (found.state, found.advice) == ("bad", "Start it with `manage.py serve`.")


def test_a_number_that_is_another_process_now_is_no_owner(embedded: Path):
    (embedded / "owner.lock").write_text(str(os.getpid()))
    assert only("serve").state == "bad"


def test_a_command_that_owns_the_directory_is_no_serve(embedded: Path):
    with (embedded / "owner.lock").open("w") as file:
        file.write(str(os.getpid()))
        file.flush()
        found = only("serve")
        assert ask("web server") == []
    assert found.state == "warning"
    assert f"process {os.getpid()}" in found.message


@contextmanager
def answering(body: bytes, status: str) -> Iterator[str]:
    """Answer every request of a port alike."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.recv(4096)
                    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                    client.sendall(head.encode() + body)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def of_web(url: str | None) -> list[Finding]:
    return [each for each in doctor.findings(url) if each.name == "web server"]


def test_a_web_server_whose_address_is_given(world: Cast):
    with answering(b"{}", "200 OK") as url:
        found = of_web(f"{url}/")
    assert [(each.state, each.message.split(" answered")[0]) for each in found] == [
        ("ok", f"{url}/_livez"),
        ("ok", f"{url}/_readyz"),
    ]


def test_a_web_server_that_is_not_ready_tells_why(world: Cast):
    body = {"status": "unavailable", "database": f"did not answer; {LONG_KEY}"}
    with answering(json.dumps(body).encode(), "503 Service Unavailable") as url:
        found = of_web(url)
    assert [each.state for each in found] == ["bad", "bad"]
    assert found[1].message == f"{url}/_readyz answered 503: database: did not answer; ***"


def test_a_web_server_that_is_away(world: Cast):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    found = of_web(url)
    assert [each.state for each in found] == ["bad", "bad"]
    assert "did not answer: " in found[0].message


def test_a_web_server_that_hangs(world: Cast, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "HEALTH_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = of_web(f"http://127.0.0.1:{server.getsockname()[1]}")
    assert [each.state for each in found] == ["bad", "bad"]
    assert "did not answer: " in found[0].message
    assert "timed out" in found[0].message


def test_what_answers_is_no_json_object(world: Cast):
    with answering(b'["odd"]', "500 Oh") as url:
        assert of_web(url)[0].message == f'{url}/_livez answered 500: ["odd"]'


def test_an_address_that_is_none(world: Cast):
    with pytest.raises(CommandError, match="--url is no address"):
        call_command("doctor", url="file:///etc/passwd")


def test_the_address_follows_from_the_command_line(world: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch):
    words = ["python", "-m", "core6.serving", "core6.wsgi:application", "--host", "::", "--port", "1"]
    web: Any = SimpleNamespace(cmdline=lambda: words)
    other: Any = SimpleNamespace(cmdline=lambda: ["python", "manage.py", "worker"])
    children = [other, web]
    owner = SimpleNamespace(
        pid=7, cmdline=lambda: ["manage.py", "serve"], create_time=time.time, children=lambda: children
    )
    monkeypatch.setattr(machine, "serving_process", lambda: owner)
    settings.IS_EMBEDDED = True
    assert [each.message.partition(" did not answer: ")[0] for each in of_web(None)] == [
        "http://[::1]:1/_livez",
        "http://[::1]:1/_readyz",
    ]
    children = [other]
    assert [each.message for each in of_web(None)] == ["process 7 has no web server"]


@pytest.mark.parametrize("host", sampled(["0.0.0.0", "::"], 2))
@pytest.mark.whole
def test_a_server_that_others_reach_without_a_proxy_is_a_warning(host: str):
    with started_place() as directory, serving(directory, "--workers", "1", "--host", host) as server:
        wait_until(lambda: workers_of(server.directory), "worker")
        assert f"The server listens on {host} without a proxy" in server.stderr
        rows = named(rows_of(server.directory, 0), "web server")
        assert [row["state"] for row in rows] == ["warning", "ok", "ok"]
        assert f"listens on {host} without a proxy" in rows[0]["message"]
        assert "IS_BEHIND_PROXY=true" in rows[0]["advice"]


# Questions that fail, and what is shown.


def replaced(monkeypatch: pytest.MonkeyPatch, *questions: Question) -> None:
    monkeypatch.setattr(doctor, "QUESTIONS", questions)


def raising(error: Exception) -> Callable[[], Iterator[Report]]:
    def look() -> Iterator[Report]:
        yield "ok", "so far", ""
        raise error

    return look


@pytest.mark.parametrize("needs_database", [True, False])
@pytest.mark.parametrize("error", [ValueError("odd"), Unusable("odd"), KeyError("odd"), ProgrammingError("odd")])
def test_a_question_that_raises_is_a_bad_finding(
    world: Cast, monkeypatch: pytest.MonkeyPatch, error: Exception, needs_database: bool
):
    replaced(
        monkeypatch,
        Question("odd one", raising(error), needs_database),
        Question("next", lambda: iter([("ok", "fine", "")])),
    )
    first, second = doctor.findings()
    assert (first.name, first.state) == ("odd one", "bad")
    assert first.message.startswith(f"could not be looked at: {type(error).__name__}: ")
    assert second == Finding("next", "ok", "fine")


def test_a_statement_that_fails_does_not_spoil_the_next(world: Cast, monkeypatch: pytest.MonkeyPatch):
    def look() -> Iterator[Report]:
        execute("SELECT 1 / 0")
        yield "ok", "never", ""

    replaced(monkeypatch, Question("one", look), doctor.QUESTIONS[NAMES.index("jobs")])
    first, second = doctor.findings()
    assert "DataError: division by zero" in first.message
    assert second.state == "ok"


def test_a_question_cannot_write(world: Cast, monkeypatch: pytest.MonkeyPatch):
    def look() -> Iterator[Report]:
        execute("UPDATE cohorts_cohort SET count = 1")
        yield "ok", "never", ""

    replaced(monkeypatch, Question("writer", look))
    (found,) = doctor.findings()
    assert "read-only transaction" in found.message


def test_a_database_that_goes_away_ends_its_questions_alone(world: Cast, monkeypatch: pytest.MonkeyPatch):
    replaced(
        monkeypatch,
        Question("jobs", raising(OperationalError("server closed the connection"))),
        Question("never", raising(ValueError())),
        Question("still", lambda: iter([("ok", "fine", "")]), needs_database=False),
    )
    away, still = doctor.findings()
    assert (away.name, away.state, still.name) == ("database", "bad", "still")
    assert "server closed the connection" in away.message
    assert PASSWORD not in away.message
    assert "DATABASE_URL" in away.advice


def test_tables_that_are_still_to_come_are_no_second_trouble(world: Cast):
    execute(
        "DELETE FROM django_migrations WHERE app = 'cohorts'",
        "ALTER TABLE cohorts_cohort RENAME COLUMN errors_calculating TO later",
    )
    found = doctor.findings()
    assert {each.name for each in found if each.state == "bad"} == {"migrations"}
    assert "failing cohorts" not in {each.name for each in found}


def test_a_table_that_is_lacking_although_all_is_applied_is_reported(world: Cast):
    execute("ALTER TABLE cohorts_cohort RENAME COLUMN errors_calculating TO later")
    assert "errors_calculating" in only("failing cohorts").message


def test_no_secret_is_shown(world: Cast, deployed: Any, monkeypatch: pytest.MonkeyPatch):
    key = world.key(world.alice)
    secrets = [key, PASSWORD, deployed.SECRET_KEY, deployed.DATABASE_URL, LONG_KEY, world.web.api_token]
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", PASSWORD)
    address = "postgres://someone:something-else@db.example.com/x"
    failing(world, f"a name with {key}", " ".join([*secrets, address]))
    replaced(
        monkeypatch,
        *doctor.QUESTIONS,
        Question("odd", raising(ValueError(" ".join(secrets)))),
    )
    for arguments in ((), ("--json",)):
        out = io.StringIO()
        with pytest.raises(CommandError) as raised:
            call_command("doctor", *arguments, stdout=out)
        shown = "".join(out.getvalue().replace("│", "").split()) + str(raised.value)
        assert "***" in shown
        assert "could" in shown
        for secret in [*secrets, "something-else"]:
            assert secret not in shown
        assert lines_with_keys(shown) == []


def test_secrets_of_the_data_directory_are_not_shown(embedded: Path, monkeypatch: pytest.MonkeyPatch):
    (embedded / "secret_key").write_text("generated-secret-key\n")
    error = ValueError(f"{PASSWORD} and generated-secret-key")
    replaced(monkeypatch, Question("odd", raising(error), needs_database=False))
    (found,) = doctor.findings()
    assert found.message == "could not be looked at: ValueError: *** and ***"


def test_a_short_secret_is_cut_out_of_the_words_of_others_alone(deployed: Any, monkeypatch: pytest.MonkeyPatch):
    deployed.SECRET_KEY = "short"
    replaced(
        monkeypatch,
        doctor.QUESTIONS[NAMES.index("settings")],
        Question("odd", raising(ValueError("the key is short")), needs_database=False),
    )
    own, others = doctor.findings()
    assert "it is short, a placeholder" in own.message
    assert others.message == "could not be looked at: ValueError: the key is ***"


def test_a_password_that_is_the_name_as_well_leaves_the_name(deployed: Any, monkeypatch: pytest.MonkeyPatch):
    for name, value in {"NAME": "core6-name", "USER": "core6", "PASSWORD": "core6-name"}.items():
        monkeypatch.setitem(connection.settings_dict, name, value)
    assert texts.masked_line("core6-name on this machine") == "core6-name on this machine"
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "of-its-own")
    assert texts.masked_line("core6-name by of-its-own") == "core6-name by ***"


def test_texts_of_others_are_one_short_line_without_control_characters(world: Cast):
    failing(world, "a\x1b[2Jname\nof two lines" + "n" * 300, "\x1b]0;title\x07" + "e" * 5000)
    found = only("failing cohorts")
    assert "\x1b" not in found.message
    assert "\n" not in found.message
    assert "a [2Jname of two lines" in found.message
    assert len(found.message) < 650


def test_brackets_are_no_markup(world: Cast):
    failing(world, "[red]name[/red]", "invalid regular expression [/bold] [a-z")
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("doctor", stdout=out)
    assert "[red]name[/red]" in out.getvalue()
    assert "[/bold]" in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2 h"), (259200, "3 days")],
)
def test_times_are_said_as_people_do(seconds: float, text: str):
    assert texts.duration(seconds) == text


def test_the_table_names_the_trouble_and_its_advice_and_the_command_ends_badly(world: Cast):
    failing(world, "Power users", "timed out", "timeout")
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"^1 of \d+ findings is bad$") as raised:
        call_command("doctor", stdout=out)
    assert raised.value.returncode == 1
    shown = " ".join(out.getvalue().replace("│", " ").split())
    assert "failing cohorts" in shown
    assert "“Power users”" in shown
    assert "→ Use fewer conditions or shorter times." in shown


def test_a_warning_is_shown_and_nothing_bad(world: Cast, deployed: Any):
    deployed.ALLOWED_HOSTS = ["*"]
    out = io.StringIO()
    call_command("doctor", stdout=out)
    assert "warning" in out.getvalue()
    assert "→ Name the hosts" in out.getvalue()


def test_programs_get_every_finding(world: Cast):
    made = failing(world, error="timed out", code="timeout")
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("doctor", "--json", stdout=out)
    rows = json.loads(out.getvalue())
    assert {row["name"] for row in rows} >= set(OF_DATABASE)
    (row,) = [row for row in rows if row["state"] != "ok"]
    assert row == {
        "name": "failing cohorts",
        "state": "bad",
        "message": f"cohort {made.pk} “broken” of project {world.web.pk} failed once: timed out",
        "advice": "Use fewer conditions or shorter times.",
    }


# In processes of their own.

DEPLOYMENT = {"SECRET_KEY": "x9" * 3 + LONG_KEY, "ALLOWED_HOSTS": "api.example.com", "IS_BEHIND_PROXY": "true"}


def named(rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["name"] == name]


@pytest.mark.parametrize("listens", [True, False])
def test_a_database_that_is_away_or_silent(listens: bool):
    with place() as parent, socket.create_server(("127.0.0.1", 0)) as server:
        if not listens:
            server.close()
        port = server.getsockname()[1] if listens else 1
        url = f"postgres://core6:{PASSWORD}@127.0.0.1:{port}/core6"
        began = time.monotonic()
        done = manage(parent / "data", "doctor", "--json", DATABASE_URL=url, **DEPLOYMENT)
        took = time.monotonic() - began
        assert not (parent / "data").exists()
    assert done.returncode == 1, done
    rows = json.loads(done.stdout)
    assert [row["name"] for row in rows] == ["settings", "disk", "database"]
    (row,) = named(rows, "database")
    assert row["state"] == "bad"
    assert "core6 on 127.0.0.1 cannot be reached" in row["message"]
    assert PASSWORD not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert took < 5 + 3  # the start of the command among it


def test_where_nothing_was_ever_started_nothing_is_made():
    with place() as parent:
        done = manage(parent / "data", "doctor")
        assert done.returncode == 1
        assert not (parent / "data").exists()
    assert "holds no database" in done.stdout
    assert "no `serve` runs on" in done.stdout
    assert done.stderr.count("\n") == 1
    assert "findings are bad" in done.stderr


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with started_place() as made:
        yield made


def rows_of(directory: Path, code: int) -> list[dict[str, Any]]:
    done = manage(directory, "doctor", "--json")
    assert done.returncode == code, done
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert lines_with_keys(done.stdout) == []
    return [row for row in rows if row["name"] != "disk"]  # whatever the machine of the tests has left


def test_beside_a_running_server(directory: Path):
    """The demo world, a cohort with a bad expression, computed by the real worker, and then missing migrations."""
    with serving(directory, "--workers", "1") as server:
        cohorts = server.path("cohorts")
        wait_until(lambda: workers_of(directory), "worker")
        server.settle()
        (row,) = [row for row in rows_of(directory, 0) if row["state"] != "ok"]
        assert (row["name"], row["state"]) == ("failing cohorts", "warning")
        assert "“Fails on purpose”" in row["message"]
        filters = all_of(leaf("plan", "regex", "["))
        began = time.monotonic()
        status, body = server.call("POST", cohorts, {"name": "stuck", "filters": filters})
        assert status == 201, body
        wait_until(lambda: server.call("GET", f"{cohorts}{body['id']}/")[1]["errors_calculating"], "failure")
        rows = rows_of(directory, 0)
        assert time.monotonic() - began < 60
        row, _ = [row for row in rows if row["state"] != "ok"]
        assert (row["name"], row["state"]) == ("failing cohorts", "warning")
        assert f"cohort {body['id']} “stuck” of project {server.printed('project')}" in row["message"]
        assert "A bracket in a regular expression is not closed" in row["message"]
        assert named(rows, "serve")[0]["message"].startswith(f"process {server.process.pid}, for ")
        assert [row["message"].split(" answered")[0] for row in named(rows, "web server")] == [
            f"{server.url}/_livez",
            f"{server.url}/_readyz",
        ]
        with connect(directory) as connected:
            gone = connected.execute(
                "DELETE FROM django_migrations WHERE app = 'idempotency' RETURNING app, name, applied"
            )
            applied = gone.fetchone()
        key = server.printed("API key")
        done = manage(directory, "doctor")
        shown = done.stdout
        assert done.returncode == 1
        assert "“stuck”" in shown
        assert "not applied: idempotency." in shown
        assert key not in shown
        assert (directory / "pgpass").read_text().strip().rpartition(":")[2] not in shown
        assert (directory / "secret_key").read_text().strip() not in shown
        with connect(directory) as connected:
            left = connected.execute("SELECT count(*) FROM django_migrations WHERE app = 'idempotency'").fetchone()
            assert left == (0,)
            connected.execute("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", applied)
        assert server.stop() == 0


def workers_of(directory: Path) -> bool:
    with connect(directory) as connected:
        return bool(connected.execute("SELECT 1 FROM procrastinate_workers").fetchone())


def test_a_server_that_was_stopped(directory: Path):
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    rows = rows_of(directory, 1)
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*")} == before
    assert [(row["name"], row["state"]) for row in rows] == [
        ("settings", "ok"),
        ("data directory", "ok"),
        ("serve", "bad"),
        ("database", "bad"),
    ]
    assert rows[2]["advice"] == "Start it with `manage.py serve`."
    assert rows[3]["message"].startswith("not running")
