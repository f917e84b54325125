"""Serializer fields that accept only ASCII digits; REST framework accepts digits of every script."""

from typing import Any, Final, TypeVar

from django.db.models import Model
from rest_framework import serializers

from core6.api.numbers import has_plain_digits

M = TypeVar("M", bound=Model)
#: Replaces a text with other digits, so that the field refuses it with its usual error.
_UNREADABLE: Final = "not a number"


class _PlainDigits:
    def to_internal_value(self, data: Any) -> Any:
        is_readable = not isinstance(data, str) or has_plain_digits(data)
        return super().to_internal_value(data if is_readable else _UNREADABLE)  # type: ignore[misc]  # of a field


class IntegerField(_PlainDigits, serializers.IntegerField):
    """An integer."""


class DecimalField(_PlainDigits, serializers.DecimalField):
    """A number with a fraction, as text."""


class DateTimeField(_PlainDigits, serializers.DateTimeField):
    """A time in ISO 8601."""


class PrimaryKeyRelatedField(_PlainDigits, serializers.PrimaryKeyRelatedField[M]):
    """The integer id of another object; a float is refused."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, float):
            self.fail("incorrect_type", data_type="float")
        return super().to_internal_value(data)


class UUIDField(serializers.UUIDField):
    """A UUID."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str) and not has_plain_digits(data):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


#: REST framework's fields, and their replacements.
PLAIN: Final[dict[type[Any], type[Any]]] = {
    serializers.IntegerField: IntegerField,
    serializers.DecimalField: DecimalField,
    serializers.DateTimeField: DateTimeField,
    serializers.UUIDField: UUIDField,
}
