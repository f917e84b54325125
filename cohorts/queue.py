"""Putting jobs about cohorts into the queue."""

from collections.abc import Collection
from typing import Any

from django.db import connection, transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued


def enqueue(task: str, *, cohort_id: int, **arguments: Any) -> None:
    """Queue a job about one cohort in the caller's transaction; jobs of one cohort run one after the other.

    Of calculations one that waits is enough; whatever brings something of its own is queued each time.
    """
    name = f"cohort:{cohort_id}"
    configured = app.configure_task(f"cohorts.tasks.{task}", lock=name, queueing_lock=None if arguments else name)
    try:
        with transaction.atomic():  # a refused insert would spoil the caller's transaction
            configured.defer(cohort_id=cohort_id, **arguments)
    except AlreadyEnqueued:
        return


def has_waiting(cohort_id: int) -> bool:
    """Tell whether a job about the cohort waits to be run."""
    return _exists([cohort_id], ["todo"])


def is_attended(cohort_ids: Collection[int]) -> bool:
    """Tell whether a job about one of the cohorts waits or runs."""
    return _exists(cohort_ids, ["todo", "doing"])


def _exists(cohort_ids: Collection[int], states: list[str]) -> bool:
    locks = [f"cohort:{key}" for key in cohort_ids]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM procrastinate_jobs WHERE lock = ANY(%s) AND status::text = ANY(%s) LIMIT 1", [locks, states]
        )
        return cursor.fetchone() is not None
