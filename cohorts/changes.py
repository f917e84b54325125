"""The effects of a request that changes a cohort, in its transaction."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.db import transaction
from rest_framework.exceptions import NotFound, ValidationError

from cohorts.calculation.run import cancel, request_calculation
from cohorts.criteria.parse import CriteriaError, parse, references
from cohorts.members.static import add_persons, by_uuid, record_members, request_population
from cohorts.members.store import remove_member
from cohorts.models import Cohort
from cohorts.sql.actors_query import copy_of
from core6.analytics.models import Experiment, Insight, Person
from core6.api.ids import parse_uuid
from core6.api.time_limits import limited_persons
from projects.models import Project

MAX_PERSONS_BY_HAND: Final = 1000
_MOST_NAMES: Final = 5


@dataclass(frozen=True)
class State:
    """The state of a cohort before a change."""

    deleted: bool
    is_static: bool

    @classmethod
    def of(cls, cohort: Cohort) -> "State":
        return cls(cohort.deleted, cohort.is_static)


def after_create(serializer: Any) -> None:
    """Request the calculation of a new dynamic cohort; add the requested members to a static one."""
    cohort: Cohort = serializer.instance
    if not cohort.is_static:
        request_calculation(cohort)
        return
    _add_requested_members(serializer, cohort)
    _add_members_by_filters(serializer, cohort)
    if serializer.person_ids is None and not cohort.is_calculating:
        _count(cohort)


def after_update(serializer: Any, before: State) -> None:
    """Request the calculation of a changed dynamic cohort; add the requested members to a static one."""
    cohort: Cohort = serializer.instance
    if cohort.deleted:
        if not before.deleted:
            Experiment.objects.filter(exposure_cohort=cohort).update(exposure_cohort=None)
            vars(cohort)["experiment_ids"] = []
            transaction.on_commit(partial(cancel, cohort.pk), robust=True)
        _mark_idle(cohort)
    elif cohort.is_static:
        if not before.is_static:
            _mark_idle(cohort)
        _add_requested_members(serializer, cohort)
    else:
        request_calculation(cohort)


def _mark_idle(cohort: Cohort) -> None:
    """Mark the cohort as not calculating: a run in progress will drop its result."""
    cohort.is_calculating = False
    cohort.save(update_fields=["is_calculating"])


def _count(cohort: Cohort) -> None:
    with limited_persons(cohort.project_id):
        record_members(cohort, is_changed=False)


def _add_requested_members(serializer: Any, cohort: Cohort) -> None:
    if serializer.person_ids:
        with limited_persons(cohort.project_id):
            added = add_persons(cohort, by_uuid(cohort, serializer.person_ids))
        cohort.added_person_ids = tuple(str(each) for each in added)
    elif serializer.person_ids is not None and serializer.named is None:
        _count(cohort)
    if serializer.named:
        request_population(cohort, by=serializer.named.by, values=serializer.named.values)
    if serializer.validated_data.get("query"):
        request_population(cohort, query=serializer.validated_data["query"])


def _add_members_by_filters(serializer: Any, cohort: Cohort) -> None:
    """Request the addition of the persons who meet the filters of a new static cohort without other sources (D66)."""
    if serializer.person_ids or serializer.named or cohort.query or not cohort.filters:
        return
    with suppress(CriteriaError):  # invalid filters are kept, and add nobody
        if parse(cohort.filters).properties.values:
            request_population(cohort, filters=cohort.filters)


def check_unused(cohort: Cohort) -> None:
    """Refuse to delete a cohort that a project's filters, insights or other cohorts use."""
    projects = [
        project.name
        for project in Project.objects.filter(pk=cohort.project_id).only("name", "test_account_filters")
        if cohort.pk in _cohorts_in(project.test_account_filters)
    ]
    if projects:
        raise ValidationError(
            f"This cohort is used in 'Filter out internal and test users' for {len(projects)} environment(s):"
            f" {', '.join(projects)}. Please remove the cohort from these environments before deleting it."
        )
    insights = [
        insight.name or insight.derived_name or "Unnamed"
        for insight in Insight.objects.filter(project=cohort.project_id, deleted=False, query__isnull=False)
        .order_by("pk")
        .only("name", "derived_name", "query")
        if cohort.pk in _cohorts_in(insight.query)
    ]
    if insights:
        raise ValidationError(
            f"This cohort is used in {len(insights)} insight(s): {_some(insights)}."
            " Please remove the cohort from these insights before deleting it."
        )
    others = [
        other.name or "Unnamed"
        for other in Cohort.objects.filter(
            project=cohort.project_id, deleted=False, filters__isnull=False, referenced_cohorts__contains=[cohort.pk]
        )
        .exclude(pk=cohort.pk)
        .order_by("pk")
        .only("name")
    ]
    if others:
        raise ValidationError(
            f"This cohort is used as criteria in {len(others)} other cohort(s): {_some(others)}."
            " Please remove this cohort from those cohort definitions before deleting it."
        )


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f", and {rest} more" if rest > 0 else "")


def _cohorts_in(value: Any) -> set[int]:
    """Return the ids of cohorts in JSON, in filters or in the breakdown of an insight."""
    found = references(value)
    if isinstance(value, dict) and value.get("breakdown_type") == "cohort":
        named = value.get("breakdown")
        found |= {each for each in (named if isinstance(named, list) else [named]) if isinstance(each, int)}
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return found.union(*(_cohorts_in(part) for part in parts))


def name_of_copy(cohort: Cohort) -> str:
    """Return the name of a static copy of a cohort."""
    ending = " (static copy)"
    longest = Cohort._meta.get_field("name").max_length or 0
    return f"{str(cohort)[: longest - len(ending)]}{ending}"


def copy_members(cohort: Cohort, *, to: Any) -> None:
    """Request that the members of a dynamic cohort are added to a new static one."""
    _count(to)
    request_population(to, query=copy_of(cohort))


def add_persons_by_hand(cohort: Cohort, data: Any) -> None:
    """Add the persons of `person_ids` to a static cohort; the checks run in their documented order."""
    if not cohort.is_static:
        raise ValidationError("Can only add users to static cohorts")
    ids = _sent(data, "person_ids")
    if not isinstance(ids, list):
        raise ValidationError("person_ids must be a list")
    if not ids:
        raise ValidationError("person_ids cannot be empty")
    if len(ids) > MAX_PERSONS_BY_HAND:
        raise ValidationError("List size exceeds limit")
    parsed = [parse_uuid(each) if isinstance(each, str) else None for each in ids]
    uuids = [each for each in parsed if each is not None]
    if len(uuids) < len(parsed):
        raise ValidationError("person_ids must be a list of valid UUIDs")
    if not Person.objects.filter(project_id=cohort.project_id, uuid__in=uuids).exists():
        raise ValidationError("No valid users to add to cohort")
    add_persons(cohort, by_uuid(cohort, uuids))


def remove_person_by_hand(cohort: Cohort, data: Any) -> None:
    """Remove the person of `person_id` from a static cohort; without effect if not a member."""
    if not cohort.is_static:
        raise ValidationError("Can only remove users from static cohorts")
    sent = _sent(data, "person_id")
    if sent in (None, ""):
        raise ValidationError("person_id is required")
    if not isinstance(sent, str):
        raise ValidationError("person_id must be a string")
    person = parse_uuid(sent)
    if person is None:
        raise ValidationError("person_id must be a valid UUID")
    if not Person.objects.filter(project_id=cohort.project_id, uuid=person).exists():
        raise NotFound("Person with this UUID does not exist in the cohort's team")
    remove_member(person, project_id=cohort.project_id, cohort_id=cohort.pk)
    record_members(cohort, is_changed=True)


def _sent(data: Any, name: str) -> Any:
    """Return a value of a JSON body or a form, where a repeated name makes a list (D47)."""
    if hasattr(data, "getlist"):
        return data.getlist(name) if name.endswith("s") else data.get(name)
    return data.get(name) if isinstance(data, dict) else None
