"""The fields of a cohort that are more than a column."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from cohorts.calculation.failures import message
from cohorts.members.store import MOST_PERSONS, TOO_MANY_PERSONS
from cohorts.models import criteria_of
from core6.api.compiled_fields import FromColumns
from core6.api.repeatable import repeatable
from core6.api.serializers import JSONField


class CriteriaField(FromColumns, JSONField):
    """The filters; a cohort without them shows its older `groups` as filters."""

    columns = ("filters", "groups")

    @repeatable
    def from_columns(self, context: Mapping[str, Any], filters: Any, groups: Any) -> Any:
        return criteria_of(filters, groups)


class FailureField(serializers.CharField):
    """The error message for the code of a failure."""

    @repeatable
    def to_representation(self, value: str) -> Any:
        return message(value)


@extend_schema_field({"type": "array", "items": {}})
class GroupsField(JSONField):
    """The older form of the filters, a list."""


class PersonIdsField(serializers.ListField):
    """Ids of persons to add; in the response to that request, the ids that were really added (D7)."""

    child = serializers.CharField()

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, list) and len(data) > MOST_PERSONS:
            raise ValidationError(TOO_MANY_PERSONS)
        return super().to_internal_value(data)
