"""The queue of jobs: putting one in, and asking what is there."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from django.db import InterfaceError, InternalError, OperationalError, connection
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app


def while_database_is_away(attempts: int) -> RetryStrategy:
    """Return when a job is tried again: when the database could not be reached, each time three times later.

    InternalError is what it says to a worker that was frozen in a transaction for too long.
    """
    away = [OperationalError, InterfaceError, InternalError]
    return RetryStrategy(max_attempts=attempts, exponential_wait=3, retry_exceptions=away)


#: The queue of the server's own work, and of what is done once for a project. It is of the highest priority.
HOUSEKEEPING: Final = "default"
#: The turn of the next job of an organization: after its own others, and not before what is next of all.
_TURN: Final = """
SELECT greatest(min(-priority), max(1 - priority) FILTER (WHERE queue_name = %s), 1)
FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND queue_name <> %s"""


def enqueue(
    task: str,
    *,
    lock: str,
    is_once: bool,
    organization_id: UUID | None = None,
    in_seconds: int = 0,
    **arguments: Any,
) -> None:
    """Queue a job in the caller's transaction, at once or later; jobs of one lock run one after the other.

    Jobs of organizations take turns: a job of one that has few waits for few others, however many another one has.

    With `is_once` a job of this task and lock that waits already is enough; the caller sees to it that nobody else asks
    at the same time. The library's own queueing lock is none: a job that runs could not be put back beside one that
    waits for it, when its worker died or it is to be tried again, and both would stay where they are for ever.
    """
    if not (is_once and exists([lock], is_running_too=False, task=task)):
        later = {"seconds": in_seconds} if in_seconds else None
        # A longer name of a queue could not be notified of.
        queue = HOUSEKEEPING if organization_id is None else organization_id.hex
        priority = 0 if organization_id is None else -_turn(queue)
        job = app.configure_task(task, lock=lock, schedule_in=later, queue=queue, priority=priority)
        job.defer(**arguments)


def _turn(queue: str) -> int:
    """Return the turn of another job of a queue, from 1 on; equal ones are taken in the order of their coming."""
    with connection.cursor() as cursor:
        cursor.execute(_TURN, [queue, HOUSEKEEPING])
        return int(cursor.fetchone()[0])


def exists(locks: Collection[str], *, is_running_too: bool, task: str | None = None) -> bool:
    """Tell whether a job of one of the locks (and of a task) waits, or waits or runs."""
    states = ["todo", "doing"] if is_running_too else ["todo"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM procrastinate_jobs WHERE lock = ANY(%s) AND status::text = ANY(%s)"
            " AND task_name = coalesce(%s, task_name) LIMIT 1",
            [list(locks), states, task],
        )
        return cursor.fetchone() is not None
