"""Computes all cohorts, so that a test need not poll `is_calculating`."""

import time
from typing import Any, Final

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce

from cohorts.calculation.dependencies import lock_definitions, references_in, related
from cohorts.calculation.queue import enqueue
from cohorts.models import Calculation, Cohort
from core6.jobs import wait_until_done
from core6.lab.refusals import Refused

#: In seconds.
PATIENCE: Final = 60.0


def settle(patience: float = PATIENCE) -> dict[str, Any]:
    """Wait for all jobs, compute every dynamic cohort, and return how many, and the errors.

    All are computed, also those whose inputs are as before: that takes milliseconds, and an error shows each time.
    Raises Refused (503) if that takes longer than `patience` in seconds.
    """
    started = time.monotonic()
    deadline = started + patience
    _wait(deadline, patience)
    rows = Cohort.objects.filter(is_static=False, deleted=False)
    for project in rows.values_list("project_id", flat=True).distinct().order_by("project_id"):
        _request(project)
    _wait(deadline, patience)
    return {
        "cohorts": rows.count(),
        "errors": _errors(),
        "milliseconds": round((time.monotonic() - started) * 1000),
    }


def _request(project_id: int) -> None:
    """Request the calculation of all dynamic cohorts of a project, what others refer to first."""
    with transaction.atomic():
        lock_definitions(project_id)
        rows = Cohort.objects.filter(project=project_id, is_static=False, deleted=False)
        keys = set(rows.values_list("pk", flat=True))
        rows.update(is_calculating=True, pending_version=Coalesce(F("pending_version"), 0) + 1)
        graph = references_in(project_id)
        ordered = dict.fromkeys(each for key in sorted(keys) for each in related(key, graph) if each in keys)
        for key in ordered:
            enqueue("calculate_cohort", cohort_id=key)


def _wait(deadline: float, patience: float) -> None:
    if not wait_until_done(deadline - time.monotonic()):
        detail = f"The jobs are not done after {patience:g} s: look at the log, and whether a job worker runs."
        raise Refused(detail, status=503, code="service_unavailable")


def _errors() -> list[dict[str, Any]]:
    """Return the cohorts whose last calculation failed."""
    last = (
        Calculation.objects.filter(cohort__is_static=False, cohort__deleted=False)
        .order_by("cohort", "-pk")
        .distinct("cohort")
        .select_related("cohort")
    )
    return [
        {
            "cohort": run.cohort_id,
            "name": run.cohort.name,
            "project": run.cohort.project_id,
            "code": run.error_code,
            "error": run.error,
        }
        for run in last
        if run.error
    ]
