"""Query parameters of several resources."""

from typing import Any, TypeVar

import django_filters
from django import forms
from drf_spectacular.drainage import set_override
from rest_framework import filters
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from core6.api.numbers import has_plain_digits

_LONGEST_SEARCH = 200
F = TypeVar("F", bound=django_filters.Filter)


class SearchFilter(filters.SearchFilter):
    """`?search=`: every word or `"phrase"` must occur, in any case. At most 200 characters."""

    def get_search_terms(self, request: Request) -> Any:
        if len(request.query_params.get(self.search_param, "")) > _LONGEST_SEARCH:
            raise ValidationError({self.search_param: f"Ensure this value has at most {_LONGEST_SEARCH} characters."})
        return super().get_search_terms(request)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters = super().get_schema_operation_parameters(view)
        return [{**each, "schema": {**each["schema"], "maxLength": _LONGEST_SEARCH}} for each in parameters]


class _IntegerField(forms.IntegerField):
    def to_python(self, value: Any) -> int | None:
        if isinstance(value, str) and not has_plain_digits(value):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class IntegerFilter(django_filters.Filter):
    """An integer query parameter; any other value is 400."""

    field_class = _IntegerField


def with_schema(query_parameter: F, **schema: Any) -> F:
    """Set the OpenAPI schema of a filter, which the library cannot derive, and return the filter."""
    set_override(query_parameter, "field", {**schema, "description": query_parameter.extra["help_text"]})
    return query_parameter
