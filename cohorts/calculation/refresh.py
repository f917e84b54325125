"""Periodic maintenance of cohorts: they are calculated again from time to time, and freed when they hang."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from cohorts.calculation import outcomes
from cohorts.calculation.dependencies import lock_definitions, reachable, references_in
from cohorts.calculation.queue import enqueue, has_job
from cohorts.members.store import count_members
from cohorts.models import Cohort
from core6.database import timestamps
from core6.observability.logs import logger_of

logger = logger_of(__name__)
#: After more failures in a row, a cohort is not calculated again until it is saved.
MOST_ERRORS: Final = 20
_FIRST_PAUSE = timedelta(minutes=30)
_AT_ONCE: Final = 20


def refresh_cohorts() -> None:
    """Request the calculation of cohorts that are due, oldest first; count a failure for cohorts that hang."""
    now = timestamps.now()
    _free_hanging(now)
    is_due = Q(last_calculation=None) | Q(
        last_calculation__lte=now - timedelta(minutes=settings.COHORT_REFRESH_MINUTES)
    )
    candidates = Cohort.objects.filter(
        is_due, deleted=False, is_static=False, is_calculating=False, errors_calculating__lte=MOST_ERRORS
    ).order_by(F("last_calculation").asc(nulls_first=True), "pk")
    due = [
        cohort
        for cohort in candidates.only("project", "errors_calculating", "last_error_at")
        if _is_pause_over(cohort, now)
    ]
    for cohort in by_turns(due)[:_AT_ONCE]:
        with transaction.atomic():
            lock_definitions(cohort.project_id)
            idle = Cohort.objects.filter(pk=cohort.pk, deleted=False, is_static=False, is_calculating=False)
            if idle.update(is_calculating=True, pending_version=F("pending_version") + 1):
                enqueue("calculate_cohort", cohort_id=cohort.pk)


def count_static_cohorts() -> None:
    """Correct the counts of static cohorts that differ from the number of their members.

    A machine of a cluster that died during a change can cause that.
    """
    counted = Cohort.objects.filter(is_static=True, deleted=False, count__isnull=False)
    for cohort in counted.order_by("pk").only("project", "count"):
        at = {"project_id": cohort.project_id, "cohort_id": cohort.pk}
        if count_members(**at) == cohort.count:
            continue
        with transaction.atomic():  # a change may have been in progress
            lock_definitions(cohort.project_id)
            count = count_members(**at)
            if counted.filter(pk=cohort.pk).exclude(count=count).update(count=count):
                logger.warning("static_cohort_counted", **at, count=count)


def by_turns(cohorts: Iterable[Cohort]) -> list[Cohort]:
    """Return the cohorts by turns of their projects: the first of each project, then the second of each, and so on."""
    turns: Counter[int] = Counter()
    ordered = []
    for cohort in cohorts:
        ordered.append((turns[cohort.project_id], cohort))
        turns[cohort.project_id] += 1
    return [cohort for _, cohort in sorted(ordered, key=itemgetter(0))]


def _is_pause_over(cohort: Cohort, now: datetime) -> bool:
    """Return whether the pause after the last failure is over; it doubles with each failure."""
    return cohort.last_error_at is None or now - cohort.last_error_at >= _FIRST_PAUSE * 2**cohort.errors_calculating


def _free_hanging(now: datetime) -> None:
    """Mark cohorts as failed that are calculating according to their row, but have no job that would end it."""
    for cohort in Cohort.objects.filter(is_calculating=True, deleted=False).order_by("pk"):
        with transaction.atomic():
            lock_definitions(cohort.project_id)
            begun = Cohort.objects.filter(pk=cohort.pk, is_calculating=True)
            awaited = reachable([cohort.pk], references_in(cohort.project_id))
            if not has_job({cohort.pk, *awaited}):
                begun.update(is_calculating=False, **outcomes.failure(now))
