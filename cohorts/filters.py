"""The query parameters of the list of cohorts."""

from typing import Any

import django_filters
from django.db.models import QuerySet

from cohorts.calculation.dependencies import dependents
from cohorts.criteria.parse import is_behavioral, references
from cohorts.models import Cohort
from core6.api.filters import IntegerFilter, with_schema
from core6.api.repeatable import repeatable


class CohortFilter(django_filters.FilterSet):
    """Filters the list of cohorts."""

    type = django_filters.CharFilter(
        method="filter_type", help_text="`static` or `dynamic`: return only cohorts of this kind."
    )
    created_by_id = with_schema(
        IntegerFilter(
            field_name="created_by",
            min_value=0,
            max_value=2**63 - 1,
            help_text="Return only cohorts that the user with this ID created.",
        ),
        type="integer",
        minimum=0,
        maximum=2**63 - 1,
    )
    search = with_schema(
        django_filters.CharFilter(
            field_name="name",
            lookup_expr="icontains",
            max_length=200,
            help_text="Return only cohorts whose name contains this text.",
        ),
        type="string",
        maxLength=200,
    )
    hide_behavioral_cohorts = django_filters.CharFilter(
        method="filter_behavioral", help_text="If `true`, leave out cohorts that depend on events."
    )

    class Meta:
        model = Cohort
        fields = ("type", "created_by_id", "search", "hide_behavioral_cohorts")

    @repeatable
    def filter_type(self, queryset: QuerySet[Cohort], name: str, value: str) -> QuerySet[Cohort]:
        return queryset.filter(is_static=value == "static") if value in ("static", "dynamic") else queryset

    @repeatable
    def filter_behavioral(self, queryset: QuerySet[Cohort], name: str, value: str) -> QuerySet[Cohort]:
        return queryset.exclude(pk__in=depending_on_events(queryset)) if value.lower() == "true" else queryset


def depending_on_events(cohorts: QuerySet[Cohort]) -> set[int]:
    """Return the ids of cohorts with a behavioural criterion, or that refer to one, directly or indirectly."""
    # All cohorts of the project are read, not only those that the list shows.
    rows: list[tuple[int, Any]] = [
        (cohort.pk, cohort.criteria)
        for cohort in Cohort.objects.filter(project__in=cohorts.values("project")).only("filters", "groups")
    ]
    graph = {key: references(filters) for key, filters in rows}
    behavioral = {key for key, filters in rows if is_behavioral(filters)}
    return behavioral.union(*(dependents(key, graph) for key in behavioral))
