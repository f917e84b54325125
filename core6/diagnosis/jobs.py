"""What the doctor finds of jobs and their workers."""

from collections.abc import Iterator
from typing import Final

from django.conf import settings

from core6.diagnosis.checks import EXAMPLES
from core6.diagnosis.findings import Question, Report
from core6.diagnosis.queries import integrity_finding, select
from core6.diagnosis.texts import and_more, duration
from core6.terminal import program

#: Seconds that a job may wait for a worker before that is reported.
JOB_WAITS_SECONDS: Final = 300


def _workers() -> Iterator[Report]:
    rows = select(
        "SELECT id, extract(epoch FROM now() - last_heartbeat)::float8 AS age FROM procrastinate_workers"
        " WHERE last_heartbeat > now() - make_interval(secs => %s) ORDER BY id",
        [settings.DEAD_WORKER_SECONDS],
    )
    ((waiting, last),) = select(
        "SELECT (SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'"
        " AND coalesce(scheduled_at, now()) <= now()),"
        " (SELECT extract(epoch FROM now() - max(last_heartbeat))::float8 FROM procrastinate_workers)"
    )
    if rows:
        named = [f"{key} had its last heartbeat {duration(age)} ago" for key, age in rows[:EXAMPLES]]
        yield "ok", "worker " + ", ".join([*named, *and_more(len(rows), EXAMPLES)]), ""
        return
    message = f"none lives; the last heartbeat was {duration(last)} ago" if last is not None else "none lives"
    advice = (
        f"Start `{program.NAME} worker`, or `{program.NAME} serve` without --no-worker;"
        " cohorts are not computed meanwhile."
    )
    yield ("bad", f"{message}; waiting jobs: {waiting}", advice) if waiting else ("warning", message, advice)


_JOBS: Final = (
    "SELECT status, task_name, count(*), max(age), min(age) FROM ("
    "SELECT j.status::text AS status, j.task_name, extract(epoch FROM now() - greatest(j.scheduled_at,"
    " (SELECT max(e.at) FROM procrastinate_events e WHERE e.job_id = j.id)))::float8 AS age"
    " FROM procrastinate_jobs j WHERE j.status IN ('todo', 'doing', 'failed')"
    ") AS jobs WHERE status <> 'todo' OR age IS NULL OR age >= 0 GROUP BY status, task_name ORDER BY 3 DESC, 2"
)


def _jobs() -> Iterator[Report]:
    groups: dict[str, list[tuple[str, int, float]]] = {"todo": [], "doing": [], "failed": []}
    for status, task, count, age, _ in select(_JOBS):
        groups[status].append((task, count, age or 0.0))
    waiting, oldest = sum(each[1] for each in groups["todo"]), max((each[2] for each in groups["todo"]), default=0.0)
    running, longest = sum(each[1] for each in groups["doing"]), max((each[2] for each in groups["doing"]), default=0.0)
    message = f"{waiting} wait" + (f", the oldest for {duration(oldest)}" if waiting else "")
    message += f"; {running} run" + (f", the longest for {duration(longest)}" if running else "")
    if waiting and oldest > JOB_WAITS_SECONDS:
        yield "warning", message, f"See the workers; where they live, run another: `{program.NAME} worker`."
    elif running and longest > settings.COHORT_CALCULATION_SECONDS:
        yield "warning", message, "See the long statements and the calculations; restart the worker when it hangs."
    else:
        yield "ok", message, ""


def _failed_jobs() -> Iterator[Report]:
    rows = [row for row in select(_JOBS) if row[0] == "failed"]
    if not rows:
        yield "ok", "none", ""
        return
    named = [f"{count} of {task}, the last {duration(age or 0.0)} ago" for _, task, count, _, age in rows[:EXAMPLES]]
    message = "; ".join([*named, *and_more(len(rows), EXAMPLES)])
    advice = "The worker's log has the reason; once that is gone, try them again in the console: /admin/, Jobs."
    yield "warning", message, advice


def _stuck_jobs() -> Iterator[Report]:
    found = integrity_finding("jobs_abandoned")
    if not found.count:
        yield "ok", "none", ""
        return
    named = ", ".join([*found.examples, *and_more(found.count, len(found.examples))])
    advice = "Start a worker: it takes them over within seconds."
    yield "bad", f"run by the records, but their worker is dead: {named}", advice


QUESTIONS: Final = (
    Question("job workers", _workers),
    Question("jobs", _jobs),
    Question("failed jobs", _failed_jobs),
    Question("stuck jobs", _stuck_jobs),
)
