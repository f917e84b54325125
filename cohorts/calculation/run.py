"""The calculation of a cohort: requested by a change, run by the worker, recorded."""

import logging
import time
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce

from cohorts.calculation import outcomes
from cohorts.calculation.clock import clock_of
from cohorts.calculation.dependencies import known, lock_definitions, references_in, related
from cohorts.calculation.failures import CODES
from cohorts.calculation.queue import enqueue
from cohorts.calculation.records import begin, set_queries
from cohorts.criteria.parse import CohortFilter, Criteria, CriteriaError, has_dates, leaves, load
from cohorts.members.store import delete_members, replace_members
from cohorts.models import NOTHING, Calculation, Cohort
from cohorts.sql.compile import NoCriteria, compile_criteria
from cohorts.sql.fragments import Sql
from cohorts.sql.property_values import CompileError
from core6.analytics.models import PersonOverride
from core6.analytics.moving import are_moving, prevent_moving
from core6.database import timestamps
from core6.jobs import is_unreachable
from core6.observability import metrics
from core6.observability.logs import logger_of
from core6.security.error_texts import shortened

logger = logger_of(__name__)
#: Seconds until a calculation is tried again while persons are being moved.
_PAUSE: Final = 5


def request_calculation(cohort: Cohort) -> None:
    """Request the calculation of a dynamic cohort and of those related to it, in the transaction of its change.

    Needs lock_definitions. Updates the state of `cohort`, too.
    """
    order = related(cohort.pk, references_in(cohort.project_id))
    dynamic = set(Cohort.objects.filter(pk__in=order, is_static=False, deleted=False).values_list("pk", flat=True))
    Cohort.objects.filter(pk__in=dynamic).update(
        is_calculating=True, pending_version=Coalesce(F("pending_version"), 0) + 1
    )
    for key in order:
        if key in dynamic:
            enqueue("calculate_cohort", cohort_id=key)
    cohort.refresh_from_db(fields=["is_calculating", "pending_version"])


def request_dated_calculations(project_id: int) -> None:
    """Request the calculation of the project's cohorts with dates, after it changed how it interprets them (D58)."""
    with transaction.atomic():
        lock_definitions(project_id)
        for cohort in Cohort.objects.filter(project=project_id, is_static=False, deleted=False).order_by("pk"):
            with suppress(CriteriaError):  # invalid criteria contain no dates
                if has_dates(load(cohort.criteria)):
                    request_calculation(cohort)


def calculate(cohort_id: int) -> None:
    """Compute the members of a cohort once; an error in its definition is recorded, not raised.

    Raises OperationalError if the database cannot be reached: the job must be tried again.
    """
    if are_moving():
        enqueue("calculate_cohort", cohort_id=cohort_id, in_seconds=_PAUSE)
        return
    cohort = _claim(cohort_id)
    if cohort is None:
        return
    run = begin(cohort)
    try:
        _compute(cohort, run)
    except (CompileError, CriteriaError) as error:
        _fail(cohort, run, str(error), getattr(error, "code", "validation_error"))
    except DatabaseError as error:
        state = getattr(error.__cause__, "sqlstate", None)
        if state == "57014" and not Cohort.objects.filter(pk=cohort.pk, deleted=False, is_static=False).exists():
            _fail(cohort, run, "The cohort was deleted meanwhile", Superseded.code)
            return
        if is_unreachable(error):
            raise
        _fail(cohort, run, str(error), CODES.get(state or "") or CODES.get((state or "")[:2], "unknown"))
    except Exception as error:
        _fail(cohort, run, f"{type(error).__name__}: {error}", "unknown")
        raise
    else:
        _report(cohort, run, logging.INFO, "cohort_calculated", count=run.count)


def cancel(cohort_id: int) -> None:
    """Cancel the statement that computes a cohort, if one is running."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s AND state = 'active'",
            [_application_name(cohort_id)],
        )


def _application_name(cohort_id: int) -> str:
    """Return the application_name of the transaction that computes a cohort."""
    return f"core6 computes cohort {cohort_id}"


def _claim(cohort_id: int) -> Cohort | None:
    """Return the cohort to compute with its current definition; None if there is nothing to do, or not yet."""
    with transaction.atomic():
        found = Cohort.objects.filter(pk=cohort_id).values_list("project_id", flat=True).first()
        if found is None:
            return None
        lock_definitions(found)
        # Runs of one cohort never overlap: one that has not ended belongs to a worker that is considered dead.
        Calculation.objects.filter(cohort=cohort_id, finished_at=None).update(
            finished_at=timestamps.now(), error="The worker ended in the midst of it", error_code="interrupted"
        )
        cohort = Cohort.objects.filter(pk=cohort_id).first()
        if cohort is None or cohort.is_static or cohort.deleted or cohort.pending_version is None:
            Cohort.objects.filter(pk=cohort_id, is_static=False).update(is_calculating=False)
            return None
        awaited = known(found, cohort.references) - {cohort_id}
        awaited_rows = Cohort.objects.filter(pk__in=awaited, is_static=False, deleted=False, is_calculating=True)
        if awaited and awaited_rows.exists():
            return None  # the cohorts it waits for request it again when they are done
        return cohort


def compile_for_project(criteria: Criteria, project_id: int) -> Sql:
    """Return the statement that selects the persons of a project who meet the criteria now; raises CompileError."""
    named = known(project_id, {leaf.value for leaf in leaves(criteria.properties) if isinstance(leaf, CohortFilter)})
    live = set(Cohort.objects.filter(pk__in=named, deleted=False).values_list("pk", flat=True))
    return compile_criteria(
        criteria,
        project_id=project_id,
        clock=clock_of(project_id),
        cohorts=live,
        has_overrides=PersonOverride.objects.filter(project_id=project_id).exists(),
    )


def _compute(cohort: Cohort, run: Calculation) -> None:
    at = {"project_id": cohort.project_id, "cohort_id": cohort.pk}
    try:
        persons = compile_for_project(_criteria(cohort), cohort.project_id)
    except NoCriteria as nothing:
        with transaction.atomic():
            delete_members(**at)
            _finish(cohort, run, count=0, changes=1, error=NoCriteria.message, error_code=nothing.code)
        return
    started = time.monotonic()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{settings.COHORT_CALCULATION_SECONDS}s'")
            cursor.execute("SET LOCAL work_mem = '128MB'")
            cursor.execute("SET LOCAL jit = off")
            cursor.execute("SELECT set_config('application_name', %s, true)", [_application_name(cohort.pk)])
        prevent_moving()
        count, changes = replace_members(persons, **at)
        query_ms = round((time.monotonic() - started) * 1000)
        set_queries(run, persons.text, query_ms=query_ms, written_rows=changes)
        _finish(cohort, run, count=count, changes=changes)


def _criteria(cohort: Cohort) -> Criteria:
    if cohort.criteria == NOTHING:
        raise NoCriteria
    return load(cohort.criteria)


def _finish(cohort: Cohort, run: Calculation, *, count: int, changes: int, **fields: Any) -> None:
    """Record a success in the transaction that wrote the members, so that both become visible together."""
    lock_definitions(cohort.project_id)
    version = cohort.pending_version
    now = timestamps.now()
    still_wanted = Cohort.objects.filter(pk=cohort.pk, is_static=False, deleted=False)
    if _is_taken_over(run) or not still_wanted.update(version=version, **outcomes.success(count, now)):
        raise Superseded
    still_wanted.filter(pending_version__lte=version).update(is_calculating=False)
    _record(run, now, count=count, **fields)
    wake_dependents(cohort, is_changed=changes > 0)


class Superseded(CompileError):
    """The cohort was deleted, made static or computed by another worker meanwhile: the result is dropped."""

    code = "interrupted"


def _fail(cohort: Cohort, run: Calculation, error: str, code: str) -> None:
    error = shortened(error)
    with transaction.atomic():
        lock_definitions(cohort.project_id)
        if _is_taken_over(run):
            return
        now = timestamps.now()
        rows = Cohort.objects.filter(pk=cohort.pk)
        if code != Superseded.code:
            rows.update(**outcomes.failure(now))
        rows.filter(pending_version__lte=cohort.pending_version).update(is_calculating=False)
        _record(run, now, error=error, error_code=code)
        wake_dependents(cohort, is_changed=False)
    # A superseded run has not failed.
    level = logging.INFO if code == Superseded.code else logging.WARNING
    _report(cohort, run, level, "cohort_calculation_failed", code=code, error=error)


def _report(cohort: Cohort, run: Calculation, level: int, event: str, **extra: Any) -> None:
    """Log a calculation that has ended and is recorded, and observe it in the metrics."""
    seconds = ((run.finished_at or run.started_at) - run.started_at).total_seconds()
    metrics.observe_calculation(run.error_code or "success", seconds)
    ids = {"cohort_id": cohort.pk, "project_id": cohort.project_id}
    logger.log(level, event, **ids, **extra, ms=round(seconds * 1000, 1))


def _is_taken_over(run: Calculation) -> bool:
    """Return whether the run is gone, or was ended by another worker because this one missed its heartbeats.

    The result of this worker is then outdated. Needs lock_definitions, which the other worker holds when it ends the
    run.
    """
    return not Calculation.objects.filter(pk=run.pk, finished_at=None).exists()


def _record(run: Calculation, now: datetime, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(run, name, value)
    run.finished_at = now
    run.save(update_fields=["finished_at", "queries", *fields])


def wake_dependents(cohort: Cohort, *, is_changed: bool) -> None:
    """Queue the dependents that wait for this cohort, and if its members changed, request all others as well."""
    graph = references_in(cohort.project_id)
    direct = {key for key, targets in graph.items() if cohort.pk in targets and key != cohort.pk}
    rows = Cohort.objects.filter(pk__in=direct, is_static=False, deleted=False)
    for dependent in rows.order_by("pk"):
        if not dependent.is_calculating:
            if not is_changed:
                continue
            dependent.is_calculating = True
            dependent.pending_version = (dependent.pending_version or 0) + 1
            dependent.save(update_fields=["is_calculating", "pending_version"])
        enqueue("calculate_cohort", cohort_id=dependent.pk)
