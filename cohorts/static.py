"""Static cohorts: whom they were given, at once or by a job (contract/cohorts.md 6)."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import DataError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone

from cohorts.actors_query import compile_query
from cohorts.calculation import wake_dependents
from cohorts.criteria import CriteriaError
from cohorts.dependencies import lock_definitions
from cohorts.members import add_members, count_members, named
from cohorts.models import Cohort
from cohorts.properties import CompileError
from cohorts.queue import enqueue, has_waiting
from cohorts.sql import Sql
from core6.api.ids import parse_uuid


def add_persons(cohort: Cohort, persons: Sql) -> list[uuid.UUID]:
    """Add persons to a static cohort and count it; return who was not in before. Needs lock_definitions."""
    added = add_members(persons, project_id=cohort.project_id, cohort_id=cohort.pk)
    record_members(cohort, is_changed=bool(added))
    return added


def record_members(cohort: Cohort, *, is_changed: bool) -> None:
    """Write down how many members a static cohort has after a change. Needs lock_definitions."""
    cohort.count = count_members(project_id=cohort.project_id, cohort_id=cohort.pk)
    cohort.last_calculation = timezone.now()
    cohort.errors_calculating, cohort.last_error_at = 0, None
    cohort.save(update_fields=["count", "last_calculation", "errors_calculating", "last_error_at"])
    if is_changed:
        wake_dependents(cohort, is_changed=True)


def by_uuid(cohort: Cohort, ids: Sequence[uuid.UUID]) -> Sql:
    """Return the statement that selects the project's persons with these ids."""
    return named("person_id", [str(each) for each in ids], project_id=cohort.project_id)


def request_population(cohort: Cohort, **source: Any) -> None:
    """Have a job add whom `by` and `values`, or `query`, name, in the transaction of the request."""
    cohort.is_calculating = True
    cohort.save(update_fields=["is_calculating"])
    enqueue("populate_cohort", cohort_id=cohort.pk, source=source)


def populate(cohort_id: int, source: dict[str, Any]) -> None:
    """Add to a static cohort; a query that cannot be computed is counted as an error of the cohort."""
    project_id = Cohort.objects.filter(pk=cohort_id).values_list("project_id", flat=True).first()
    if project_id is None:
        return
    try:
        with transaction.atomic():
            lock_definitions(project_id)
            cohort = Cohort.objects.select_for_update().filter(pk=cohort_id, is_static=True).first()
            if cohort:
                add_persons(cohort, _selected(cohort, source))
    except OperationalError:
        raise  # the job is tried again
    except Exception as error:
        Cohort.objects.filter(pk=cohort_id).update(
            errors_calculating=F("errors_calculating") + 1, last_error_at=timezone.now()
        )
        if not isinstance(error, CompileError | CriteriaError | DataError):
            _end(cohort_id)
            raise
    _end(cohort_id)


def _selected(cohort: Cohort, source: dict[str, Any]) -> Sql:
    if "query" in source:
        persons, patterns = compile_query(source["query"], project_id=cohort.project_id)
        with connection.cursor() as cursor:
            cursor.execute("SELECT '' ~ ANY(%s::text[])", [patterns])
        return persons
    values = source["values"]
    if source["by"] == "person_id":
        values = [value for value in values if parse_uuid(value)]
    return named(source["by"], values, project_id=cohort.project_id)


def _end(cohort_id: int) -> None:
    """Say that nothing is being added any more, unless another job waits to."""
    with transaction.atomic():
        cohort = Cohort.objects.select_for_update().filter(pk=cohort_id, is_static=True).first()
        if cohort and not has_waiting(cohort_id):
            cohort.is_calculating = False
            cohort.save(update_fields=["is_calculating"])
