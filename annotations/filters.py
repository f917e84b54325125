"""The query parameters of annotations."""

from datetime import UTC, datetime
from typing import Any

import django_filters
from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError

from annotations.models import Annotation
from core6.api.filters import with_schema
from core6.api.repeatable import repeatable


class AnnotationFilter(django_filters.FilterSet):
    """Filters annotations by scope and by their date marker."""

    scope = with_schema(
        django_filters.CharFilter(
            method="filter_scope", help_text="Return only annotations of this scope. `insight` means `dashboard_item`."
        ),
        type="string",
        enum=["insight", *Annotation.Scope.values],
    )
    date_from = django_filters.CharFilter(
        method="filter_dates",
        help_text="Return only annotations with a `date_marker` at or after this time (ISO 8601).",
    )
    date_to = django_filters.CharFilter(
        method="filter_dates",
        help_text="Return only annotations with a `date_marker` at or before this time (ISO 8601).",
    )

    class Meta:
        model = Annotation
        fields = ("scope", "date_from", "date_to")

    @repeatable
    def filter_scope(self, queryset: QuerySet[Annotation], name: str, value: str) -> QuerySet[Annotation]:
        scope = Annotation.Scope.INSIGHT if value == "insight" else value
        if scope not in Annotation.Scope.values:
            raise ValidationError(f"Invalid scope: {value}")
        return queryset.filter(scope=scope)

    @repeatable
    def filter_dates(self, queryset: QuerySet[Annotation], name: str, value: str) -> QuerySet[Annotation]:
        sent = self.form.cleaned_data
        times = {each: moment(each, sent[each]) for each in ("date_from", "date_to") if sent[each]}
        if len(times) == 2 and times["date_from"] > times["date_to"]:
            raise ValidationError("Invalid date range: date_from must be before date_to")
        return queryset.filter(**{f"date_marker__{'gte' if name == 'date_from' else 'lte'}": times[name]})


def moment(name: str, text: Any) -> datetime:
    """Return an ISO 8601 date or time in UTC, which is also the zone of a naive one; raises ValidationError."""
    try:
        value = datetime.fromisoformat(text)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValidationError(f"Invalid date range: {name} must be a valid ISO 8601 date") from error
