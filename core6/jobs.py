"""The job queue: adding jobs, and checking for queued ones."""

import time
from collections.abc import Callable, Collection
from functools import cache
from typing import Any, Final
from uuid import UUID

from django.db import Error, InterfaceError, InternalError, OperationalError, connection
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.tasks import configure_task

#: SQLSTATEs of broken connections and of servers, or nodes, that are starting or shutting down. The last one is for
#: a worker that was frozen in a transaction for too long.
_UNREACHABLE: Final = ("08", "57P", "25P03")
_LONGEST_PAUSE: Final = 60
_MOST_ATTEMPTS: Final = 10
#: Whether a job worker has begun, and whether jobs are left; only requested jobs have a lock, periodic ones have none.
_PROGRESS: Final = """
SELECT EXISTS (SELECT FROM procrastinate_workers),
    EXISTS (SELECT FROM procrastinate_jobs WHERE lock IS NOT NULL
        AND (status = 'doing' OR status = 'todo' AND coalesce(scheduled_at, now()) <= now()))"""
_PAUSE: Final = 0.005


def is_unreachable(error: Error) -> bool:
    """Return whether the database, or the node of a statement, could not be reached."""
    state = getattr(error.__cause__, "sqlstate", None)
    return isinstance(error, OperationalError | InterfaceError | InternalError) and (
        state is None or state.startswith(_UNREACHABLE)
    )


class RetryWhenDatabaseFails(BaseRetryStrategy):
    """Retries a job after 3, 9 and 27 seconds, then every minute.

    It is retried as long as the database is unreachable, and at most ten times after other database errors.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return when the job is retried; None if it has failed."""
        if not isinstance(exception, OperationalError | InterfaceError | InternalError):
            return None
        if job.attempts >= _MOST_ATTEMPTS and not is_unreachable(exception):
            return None
        return RetryDecision(retry_in={"seconds": min(3 ** (min(job.attempts, 9) + 1), _LONGEST_PAUSE)})


#: The queue of maintenance jobs, and of jobs that run once for a project. It has the highest priority.
HOUSEKEEPING: Final = "default"
#: The turn of an organization's next job: after its other jobs, and not before the earliest turn in the queue.
_TURN: Final = """
SELECT greatest(min(-priority), max(1 - priority) FILTER (WHERE queue_name = %s), 1)
FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND queue_name <> %s"""


def enqueue(
    task: str,
    *,
    lock: str,
    is_unique: bool,
    organization_id: UUID | None = None,
    in_seconds: int = 0,
    **arguments: Any,
) -> None:
    """Queue a job in the caller's transaction, to run at once or later; jobs with the same lock run one by one.

    Organizations take turns: a job of an organization with few jobs waits only for few others.

    With `is_unique` nothing is queued if a job of this task and lock is waiting; the caller must exclude concurrent
    calls. procrastinate's queueing lock is unsuitable: a running job could not be queued again, to be retried or after
    its worker died, while another one waits for it, and both would be stuck for ever.
    """
    if not (is_unique and exists([lock], is_running_too=False, task=task)):
        later: Any = {"seconds": in_seconds} if in_seconds else None
        # A hex id, since Postgres cannot send notifications about queues with longer names.
        queue = HOUSEKEEPING if organization_id is None else organization_id.hex
        priority = 0 if organization_id is None else -_turn(queue)
        configure_task(
            name=task, job_manager=_job_manager(), lock=lock, schedule_in=later, queue=queue, priority=priority
        ).defer(**arguments)


def with_usable_connection(run: Callable[[], Any], *_: Any) -> Any:
    """Run a job on a connection that works, since `reset` may have cut that of its thread: a task middleware."""
    connection.close_if_unusable_or_obsolete()
    return run()


@cache
def _job_manager() -> JobManager:
    """Return the queue on Django's connection.

    The worker's own app has another connection: a job that it queues could run before the transaction is committed.
    """
    return app.with_connector(DjangoConnector()).job_manager


def _turn(queue: str) -> int:
    """Return the turn of the next job of a queue, from 1; jobs with equal turns run in the order of arrival."""
    with connection.cursor() as cursor:
        cursor.execute(_TURN, [queue, HOUSEKEEPING])
        return int(cursor.fetchone()[0])


def exists(locks: Collection[str], *, is_running_too: bool, task: str | None = None) -> bool:
    """Return whether a job with one of the locks (and of `task`) is queued, or with `is_running_too` is running."""
    states = ["todo", "doing"] if is_running_too else ["todo"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM procrastinate_jobs WHERE lock = ANY(%s) AND status::text = ANY(%s)"
            " AND task_name = coalesce(%s, task_name) LIMIT 1",
            [list(locks), states, task],
        )
        return cursor.fetchone() is not None


def wait_until_done(seconds: float, *, needs_worker: bool = False) -> bool:
    """Wait until no requested job is due or running; return False if that takes longer than `seconds`.

    With `needs_worker`, wait for the begin of a job worker, too.
    """
    deadline = time.monotonic() + seconds
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_PROGRESS)
            has_worker, are_left = cursor.fetchone()
        if not are_left and (has_worker or not needs_worker):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
