"""The queued jobs of cohorts: those of one cohort run one after the other."""

from collections.abc import Iterable
from typing import Any

from core6 import jobs
from projects.models import Project


def enqueue(task: str, *, cohort_id: int, in_seconds: int = 0, **arguments: Any) -> None:
    """Queue a job of a cohort in the caller's transaction, to run at once or later.

    A job without arguments is queued only if none is waiting; one with arguments is queued each time.
    """
    name = f"cohorts.tasks.{task}"
    organization_id = Project.objects.filter(cohorts=cohort_id).values_list("organization_id", flat=True).first()
    jobs.enqueue(
        name,
        lock=_lock(cohort_id),
        is_unique=not arguments,
        organization_id=organization_id,
        in_seconds=in_seconds,
        cohort_id=cohort_id,
        **arguments,
    )


def has_queued(cohort_id: int) -> bool:
    """Return whether a job of the cohort is queued."""
    return jobs.exists([_lock(cohort_id)], is_running_too=False)


def has_job(cohort_ids: Iterable[int]) -> bool:
    """Return whether a job of one of the cohorts is queued or running."""
    return jobs.exists([_lock(key) for key in cohort_ids], is_running_too=True)


def _lock(cohort_id: int) -> str:
    return f"cohort:{cohort_id}"
