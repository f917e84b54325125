"""The queue of jobs: putting one in, and asking what is there."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from django.db import Error, InterfaceError, InternalError, OperationalError, connection
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.contrib.django import app
from procrastinate.jobs import Job

#: States of Postgres of a connection that broke, and of a server that shuts down or starts, of a node, too. The last is
#: what it says to a worker that was frozen in a transaction for too long.
_AWAY: Final = ("08", "57P", "25P03")
_LONGEST_PAUSE: Final = 60
_MOST_ATTEMPTS: Final = 10


def is_away(error: Error) -> bool:
    """Return whether the database, or the node that a statement went to, could not be reached."""
    state = getattr(error.__cause__, "sqlstate", None)
    return isinstance(error, OperationalError | InterfaceError | InternalError) and (
        state is None or state.startswith(_AWAY)
    )


class RetryWhenDatabaseFails(BaseRetryStrategy):
    """Tries a job again after 3, 9 and 27 seconds, then each minute.

    As long as the database is away, that is no failure of the job. Other failures of the database count to ten.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return when the job is tried again; None when it has failed."""
        if not isinstance(exception, OperationalError | InterfaceError | InternalError):
            return None
        if job.attempts >= _MOST_ATTEMPTS and not is_away(exception):
            return None
        return RetryDecision(retry_in={"seconds": min(3 ** (min(job.attempts, 9) + 1), _LONGEST_PAUSE)})


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
