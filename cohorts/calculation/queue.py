"""Jobs about cohorts in the queue: those of one cohort run one after the other."""

from collections.abc import Iterable
from typing import Any

from core6 import jobs
from projects.models import Project


def enqueue(task: str, *, cohort_id: int, in_seconds: int = 0, **arguments: Any) -> None:
    """Queue a job about a cohort in the caller's transaction, at once or later.

    Of calculations one that waits is enough; whatever brings something of its own is queued each time.
    """
    name = f"cohorts.tasks.{task}"
    of = Project.objects.filter(cohorts=cohort_id).values_list("organization_id", flat=True).first()
    jobs.enqueue(
        name,
        lock=_lock(cohort_id),
        is_once=not arguments,
        organization_id=of,
        in_seconds=in_seconds,
        cohort_id=cohort_id,
        **arguments,
    )


def has_waiting(cohort_id: int) -> bool:
    """Tell whether a job about the cohort waits to be run."""
    return jobs.exists([_lock(cohort_id)], is_running_too=False)


def is_attended(cohort_ids: Iterable[int]) -> bool:
    """Tell whether a job about one of the cohorts waits or runs."""
    return jobs.exists([_lock(key) for key in cohort_ids], is_running_too=True)


def _lock(cohort_id: int) -> str:
    return f"cohort:{cohort_id}"
