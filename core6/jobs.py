"""The queue of jobs: putting one in, and asking what is there."""

from collections.abc import Collection
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued


def while_database_is_away(attempts: int) -> RetryStrategy:
    """Return when a job is tried again: when the database could not be reached, each time three times later."""
    return RetryStrategy(max_attempts=attempts, exponential_wait=3, retry_exceptions=[OperationalError, InterfaceError])


def enqueue(task: str, *, lock: str, is_once: bool, **arguments: Any) -> None:
    """Queue a job in the caller's transaction; jobs of one lock run one after the other.

    With `is_once` a job of this lock that waits already is enough.
    """
    configured = app.configure_task(task, lock=lock, queueing_lock=lock if is_once else None)
    try:
        with transaction.atomic():  # a refused insert would spoil the caller's transaction
            configured.defer(**arguments)
    except AlreadyEnqueued:
        return


def exists(locks: Collection[str], *, is_running_too: bool) -> bool:
    """Tell whether a job of one of the locks waits, or waits or runs."""
    states = ["todo", "doing"] if is_running_too else ["todo"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM procrastinate_jobs WHERE lock = ANY(%s) AND status::text = ANY(%s) LIMIT 1",
            [list(locks), states],
        )
        return cursor.fetchone() is not None
