"""Static cohorts: adding persons, during a request or by a job."""

import uuid
from collections.abc import Sequence
from typing import Any, Final

from django.db import DataError, OperationalError, transaction

from cohorts.calculation import outcomes
from cohorts.calculation.dependencies import known, lock_definitions
from cohorts.calculation.queue import enqueue, has_queued
from cohorts.calculation.run import compile_for_project, wake_dependents
from cohorts.criteria.parse import CriteriaError, load, references
from cohorts.members.store import add_members, count_members, select_persons
from cohorts.models import Cohort
from cohorts.sql import actors_query
from cohorts.sql.fragments import Sql
from cohorts.sql.property_values import CompileError
from core6.analytics.moving import are_moving
from core6.api.ids import parse_uuid
from core6.database import timestamps

#: Seconds until a cohort is tried again that waits for another one, or for persons that are being moved.
_PAUSE: Final = 1


def add_persons(cohort: Cohort, persons: Sql) -> list[uuid.UUID]:
    """Add persons to a static cohort and update its count; return the new members. Needs lock_definitions."""
    added = add_members(persons, project_id=cohort.project_id, cohort_id=cohort.pk)
    record_members(cohort, is_changed=bool(added))
    return added


def record_members(cohort: Cohort, *, is_changed: bool) -> None:
    """Store the number of members of a static cohort after a change. Needs lock_definitions."""
    count = count_members(project_id=cohort.project_id, cohort_id=cohort.pk)
    recorded = outcomes.success(count, timestamps.now())
    for name, value in recorded.items():
        setattr(cohort, name, value)
    cohort.save(update_fields=recorded)
    if is_changed:
        wake_dependents(cohort, is_changed=True)


def by_uuid(cohort: Cohort, ids: Sequence[uuid.UUID]) -> Sql:
    """Return the statement that selects the project's persons with these ids."""
    return select_persons("person_id", [str(each) for each in ids], project_id=cohort.project_id)


def request_population(cohort: Cohort, **source: Any) -> None:
    """Queue a job that adds the persons of a source, in the transaction of the request.

    The source is a `query`, `filters` (D66), or identifiers: their kind `by`, and `values`.
    """
    cohort.is_calculating = True
    cohort.save(update_fields=["is_calculating"])
    enqueue("populate_cohort", cohort_id=cohort.pk, source=source)


def populate(cohort_id: int, source: dict[str, Any]) -> None:
    """Add the persons of a source to a static cohort, once the cohorts that the source refers to are computed.

    A source that cannot be computed counts as an error of the cohort.
    """
    project_id = Cohort.objects.filter(pk=cohort_id).values_list("project_id", flat=True).first()
    if project_id is None:
        return
    try:
        with transaction.atomic():
            lock_definitions(project_id)
            cohort = Cohort.objects.select_for_update().filter(pk=cohort_id, is_static=True).first()
            if cohort and (are_moving() or _is_waiting(cohort, source)):
                enqueue("populate_cohort", cohort_id=cohort_id, in_seconds=_PAUSE, source=source)
            elif cohort:
                add_persons(cohort, _selected(cohort, source))
    except OperationalError:
        raise  # the job is tried again
    except Exception as error:
        Cohort.objects.filter(pk=cohort_id).update(**outcomes.failure(timestamps.now()))
        if not isinstance(error, CompileError | CriteriaError | DataError):
            _end(cohort_id)
            raise
    _end(cohort_id)


def _is_waiting(cohort: Cohort, source: dict[str, Any]) -> bool:
    """Return whether a cohort that the source refers to is still being computed."""
    ids = known(cohort.project_id, _referenced(source))
    return bool(ids) and Cohort.objects.filter(pk__in=ids, deleted=False, is_calculating=True).exists()


def _referenced(source: dict[str, Any]) -> set[int]:
    if "query" in source:
        return actors_query.references(source["query"])
    return references(source.get("filters"))


def _selected(cohort: Cohort, source: dict[str, Any]) -> Sql:
    if "query" in source:
        return actors_query.compile_query(source["query"], project_id=cohort.project_id)
    if "filters" in source:
        return compile_for_project(load(source["filters"]), cohort.project_id)
    values = source["values"]
    if source["by"] == "person_id":
        values = [value for value in values if parse_uuid(value)]
    return select_persons(source["by"], values, project_id=cohort.project_id)


def _end(cohort_id: int) -> None:
    """Mark the cohort as not calculating, unless another of its jobs is queued."""
    with transaction.atomic():
        cohort = Cohort.objects.select_for_update().filter(pk=cohort_id, is_static=True).first()
        if cohort and not has_queued(cohort_id):
            cohort.is_calculating = False
            cohort.save(update_fields=["is_calculating"])
