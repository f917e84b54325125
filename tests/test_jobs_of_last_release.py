"""Jobs that the last release has queued are run by this release's worker, and do what they are for.

An update stops one release and starts the next; jobs wait in the queue meanwhile, by the names of their tasks.
"""

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from procrastinate.contrib.django import app
from psycopg.types.json import Jsonb

from core6.settings import BASE_DIR
from tests.support.cohorts.people import all_of, leaf
from tests.support.last_release import JOBS, Job
from tests.support.places import connect, place
from tests.support.serving import LIGHT, MANAGE, environment, manage, serving, wait_until

#: Its worker was killed.
STALLED = Job("cohorts.tasks.calculate_cohort", {"cohort_id": 4}, "cohort:4", None, True, -5, "doing")
UNKNOWN = Job("core6.tasks.of_another_release", {"project_id": 1}, "other:1")

#: Tasks that the last release did not have.
NEW = {"core6.capture.tasks.forget_events"}

PERIODIC = [job.task for job in JOBS if job.queueing_lock]

_SURVIVOR = "00000000-0000-0000-0000-000000000002"
_NAME, _OF_STATIC = "properties ->> 'name'", "WHERE cohort_id = 3 AND person_uuid = uuid"
#: By task, a statement, and what it returns after the job; before the job it returns something else.
EFFECTS: dict[str, tuple[str, Any]] = {
    "core6.tasks.retry_stalled_jobs": ("SELECT count FROM cohorts_cohort WHERE id = 4", 2),
    "core6.tasks.forget_answers": ("SELECT count(*) FROM idempotency_answer", 0),
    "core6.tasks.forget_activity": ("SELECT count(*) FROM activity_activitylog WHERE item_id = 'old'", 0),
    "core6.tasks.forget_sessions": (
        "SELECT (SELECT count(*) FROM django_session) + (SELECT count(*) FROM rate_limits_window)",
        0,
    ),
    "core6.tasks.delete_people": ("SELECT count(*) FROM analytics_person WHERE project_id = 3", 0),
    "core6.demo.tasks.fill_demo_project": ("SELECT count(*) FROM analytics_person WHERE project_id = 2", 200),
    "cohorts.tasks.calculate_cohort": ("SELECT count FROM cohorts_cohort WHERE id = 1", 2),
    "cohorts.tasks.calculate_dated_cohorts": ("SELECT count FROM cohorts_cohort WHERE id = 2", 1),
    "cohorts.tasks.populate_cohort": (
        f"SELECT string_agg({_NAME}, ' ' ORDER BY {_NAME}) FROM analytics_person, cohorts_cohortmember {_OF_STATIC}",
        "Ann Ben Cleo",
    ),
    "cohorts.tasks.forget_calculations": ("SELECT count(*) FROM cohorts_calculation WHERE cohort_id = 3", 1),
    "cohorts.tasks.refresh_cohorts": ("SELECT count FROM cohorts_cohort WHERE id = 5", 3),
    "cohorts.tasks.count_static_cohorts": ("SELECT count FROM cohorts_cohort WHERE id = 6", 0),
    "core6.capture.tasks.fold_merges": (
        "SELECT person_uuid::text FROM analytics_event WHERE event = 'merged'",
        _SURVIVOR,
    ),
}

PERSONS = [
    {"distinct_ids": ["ann"], "properties": {"name": "Ann", "plan": "pro", "seen": "2026-02-01"}},
    {"distinct_ids": ["ben"], "properties": {"name": "Ben", "plan": "pro", "seen": "2025-02-01"}},
    {"distinct_ids": ["cleo"], "properties": {"name": "Cleo", "plan": "free"}},
]
WORLD = {
    "users": [{"email": "alice@example.com"}],
    "organizations": [
        {
            "name": "Acme",
            "members": {"alice@example.com": "owner"},
            "projects": [{"name": "Web", "persons": PERSONS}],
        }
    ],
    "api_keys": [{"label": "all", "user": "alice@example.com", "scopes": ["*"], "value": "phx_of_the_last_release"}],
}
_COHORTS: list[dict[str, Any]] = [
    {"name": "computed", "filters": all_of(leaf("plan", value="pro"))},
    {"name": "with a date", "filters": all_of(leaf("seen", "is_date_after", "2026-01-01"))},
    {"name": "static", "is_static": True},
    {"name": "stalled", "filters": all_of(leaf("plan", value="pro"))},
    {"name": "outdated", "filters": all_of(leaf("name", "is_set"))},
    {"name": "wrongly counted", "is_static": True},
]
_OLD_ROWS = """
DELETE FROM procrastinate_jobs;
INSERT INTO analytics_person (project_id, uuid, properties, is_identified, created_at)
    VALUES (3, gen_random_uuid(), '{}', false, now());
INSERT INTO analytics_event (project_id, uuid, event, distinct_id, person_uuid, "timestamp", properties)
    VALUES (1, gen_random_uuid(), 'merged', 'x', '00000000-0000-0000-0000-000000000001', now(), '{}');
INSERT INTO analytics_personoverride (project_id, old_uuid, new_uuid)
    VALUES (1, '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002');
UPDATE cohorts_cohort SET is_calculating = false, version = pending_version, count = 0, last_calculation = now()
    WHERE id IN (2, 5, 6);
UPDATE cohorts_cohort SET last_calculation = now() - interval '1 day' WHERE id = 5;
UPDATE cohorts_cohort SET count = 9 WHERE id = 6;
INSERT INTO cohorts_calculation (id, cohort_id, filters, started_at, finished_at)
    SELECT gen_random_uuid(), 3, '{}', now() - n * interval '1 min', now() FROM generate_series(1, 3) n;
INSERT INTO django_session (session_key, session_data, expire_date) VALUES ('old', '', now() - interval '1 min');
INSERT INTO rate_limits_window (api_key, seconds, started, calls) VALUES ('old', 60, now() - interval '2 days', 1);
INSERT INTO activity_activitylog (id, organization_id, scope, item_id, activity, detail, created_at)
    SELECT gen_random_uuid(), id, 'Team', 'old', 'created', '{}', now() - interval '500 days'
    FROM accounts_organization;
INSERT INTO idempotency_answer (api_key_id, idempotency_key, fingerprint, status, body, created_at)
    SELECT id, 'old', '', 200, '', now() - interval '2 days' FROM accounts_personalapikey;
INSERT INTO procrastinate_workers (id, last_heartbeat) OVERRIDING SYSTEM VALUE VALUES (1, now() - interval '1 hour')"""
#: The last release has queued each periodic job of these minutes.
_DEFERRED = """
INSERT INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)
SELECT task, '', second FROM unnest(%s::text[]) task, generate_series(
    (extract(epoch FROM now())::bigint / 10 - 90) * 10, extract(epoch FROM now())::bigint + 300, 10) second"""


def value(connection: psycopg.Connection[Any], statement: str) -> Any:
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def insert(connection: psycopg.Connection[Any], job: Job) -> None:
    organization = value(connection, "SELECT id FROM accounts_organization")
    values = {
        "task_name": job.task,
        "args": Jsonb(job.args),
        "lock": job.lock,
        "queueing_lock": job.queueing_lock,
        "queue_name": organization.hex if job.is_of_organization else "default",
        "priority": job.priority,
        "status": job.status,
        "worker_id": 1 if job.status == "doing" else None,
    }
    columns, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    connection.execute(f"INSERT INTO procrastinate_jobs ({columns}) VALUES ({marks})".encode(), [*values.values()])


@dataclass
class Update:
    """What is there before the worker of this release has run, and afterwards."""

    directory: Path
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    deferred: list[int] = field(default_factory=list)
    log: str = ""


@pytest.fixture(scope="module")
def update() -> Iterator[Update]:
    with place() as parent:
        world = parent / "world.json"
        world.write_text(json.dumps(WORLD))
        with serving(parent / "data", *LIGHT, "--provision", str(world)) as server:
            key = str(WORLD["api_keys"][0]["value"])  # type: ignore[index]
            projects = [{"name": "Demo", "is_demo": True}, {"name": "Gone"}]
            created = [server.call("POST", "/api/projects/", body, key)[1]["id"] for body in projects]
            created += [server.call("POST", "/api/projects/1/cohorts/", body, key)[1]["id"] for body in _COHORTS]
            assert created == [2, 3, *range(1, 7)]
            assert server.call("DELETE", "/api/projects/3/", key=key)[0] == 204
            yield run_worker(Update(server.directory), parent / "log")


def run_worker(update: Update, log: Path) -> Update:
    """Replace the queue by the rows of the last release, and run the worker until nothing waits."""
    with connect(update.directory) as connection, log.open("w") as stderr:
        connection.autocommit = True
        connection.execute(_OLD_ROWS)
        connection.execute(_DEFERRED, [PERIODIC])
        for job in (*JOBS, STALLED, UNKNOWN):
            insert(connection, job)
        deferred = "SELECT count(*) FROM procrastinate_periodic_defers"
        update.before = {task: value(connection, statement) for task, (statement, _) in EFFECTS.items()}
        update.deferred.append(value(connection, deferred))
        settings = environment(update.directory, {"CALCULATION_HISTORY": "1"})
        worker = subprocess.Popen([*MANAGE, "worker"], cwd=BASE_DIR, env=settings, stderr=stderr)
        try:
            left = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
            wait_until(lambda: value(connection, left) == 0, "end of the jobs")
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait()
        update.after = {task: value(connection, statement) for task, (statement, _) in EFFECTS.items()}
        update.deferred.append(value(connection, deferred))
    update.log = log.read_text()
    return update


@pytest.mark.parametrize("task", EFFECTS)
def test_a_job_of_the_last_release_has_its_effect(update: Update, task: str):
    expected = EFFECTS[task][1]
    assert update.before[task] != expected
    assert update.after[task] == expected


def test_a_periodic_job_of_the_last_release_is_not_queued_again(update: Update):
    assert update.deferred[0] == update.deferred[1] > 0


def test_a_job_of_an_unknown_task_stays_and_is_reported(update: Update):
    with connect(update.directory) as connection:
        rows = connection.execute("SELECT task_name, args, status::text FROM procrastinate_jobs").fetchall()
    assert rows == [(UNKNOWN.task, UNKNOWN.args, "failed")]
    assert f'"task":"{UNKNOWN.task}"' in update.log
    findings = json.loads(manage(update.directory, "doctor", "--json").stdout)
    (found,) = [each for each in findings if each["name"] == "failed jobs"]
    assert (found["state"], found["message"].partition(",")[0]) == ("warning", f"1 of {UNKNOWN.task}")


def test_every_task_has_a_job_and_an_effect_above():
    ours = {name for name in app.tasks if not name.startswith(("procrastinate.", "builtin:"))}
    assert ours - NEW == {job.task for job in JOBS} == set(EFFECTS)
