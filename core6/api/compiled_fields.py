"""What of a serializer's field can be compiled, and how its column becomes JSON."""

from collections.abc import Mapping, Sequence
from inspect import getattr_static
from typing import Any, ClassVar, Final

from django.core.exceptions import FieldDoesNotExist
from django.db.models import BooleanField, Field
from django.db.models.expressions import RawSQL
from rest_framework import ISO_8601, fields, relations
from rest_framework.settings import api_settings

#: Kinds of integer columns.
_WHOLE: Final = (
    *("AutoField", "BigAutoField", "IntegerField", "BigIntegerField"),
    *("SmallIntegerField", "PositiveIntegerField", "PositiveSmallIntegerField"),
)
#: Methods of REST framework that return the value of a column unchanged, for columns of these kinds.
_UNCHANGED: Final[Mapping[Any, tuple[str, ...]]] = {
    fields.CharField.to_representation: ("CharField", "TextField"),
    fields.ChoiceField.to_representation: ("CharField", "TextField"),
    fields.IntegerField.to_representation: _WHOLE,
    fields.BigIntegerField.to_representation: _WHOLE,
    fields.BooleanField.to_representation: ("BooleanField",),
    fields.UUIDField.to_representation: ("UUIDField",),
    fields.JSONField.to_representation: ("JSONField",),
    relations.PrimaryKeyRelatedField.to_representation: ("ForeignKey", "OneToOneField"),
}
#: The lengths of a time as text without a fraction, and with a fraction of six digits.
_LENGTHS: Final = (len("2026-01-01 00:00:00+00"), len("2026-01-01 00:00:00.000001+00"))


class NotCompilable(Exception):
    """A serializer has custom code that only REST framework can run."""


class FromColumns:
    """A mixin for a read-only field of REST framework that is computed from columns of its row.

    `columns` names them, relative to the model of the serializer (`organization__name` is one of a related row), and
    `from_columns` takes the context of the serializer and their values. Mark it `@repeatable` if the result depends
    only on the caller and the values.
    """

    columns: ClassVar[Sequence[str]] = ()

    def from_columns(self, context: Mapping[str, Any], *values: Any) -> Any:
        """Return the value of the field, before `to_representation`."""
        raise NotImplementedError

    def get_attribute(self, instance: Any) -> Any:
        """Return the value for an instance, for REST framework."""
        return self.from_columns(self.context, *(attribute_of(instance, name) for name in self.columns))  # type: ignore[attr-defined]  # of a field


def attribute_of(instance: Any, name: str) -> Any:
    """Return the attribute that a name such as `created_by__email` leads to; None behind a None."""
    for part in name.split("__"):
        instance = None if instance is None else getattr(instance, part)
    return instance


def column_condition(field: Any, condition: str, values: Sequence[Any]) -> RawSQL:
    """Return a condition on a column in SQL, such as `= ANY(%s)`."""
    column = f'"{field.model._meta.db_table}"."{field.column}"'
    return RawSQL(f"{column} {condition}", values, output_field=BooleanField())  # noqa: S611  # our own text


def model_field_of(model: Any, name: str) -> "Field[Any, Any] | None":
    """Return the model field of a column such as `created_by__email`; None if there is none."""
    found: Any = None
    for part in name.split("__"):
        try:
            found = model._meta.pk if part == "pk" else model._meta.get_field(part)
        except FieldDoesNotExist:
            return None
        model = found.related_model
    return found  # type: ignore[no-any-return]  # as the loop ran at least once


def constant_of(model: Any, name: str) -> Any:
    """Return the value of a plain class attribute of a model, which is the same for every row."""
    found = getattr_static(model, name, None)
    if found is None or hasattr(found, "__get__"):
        raise NotCompilable(f"{model.__name__}.{name} is no column")
    return found


def shows_unchanged(field: Any, model_field: Any) -> bool:
    """Return whether the JSON of a field is the unchanged value of its column."""
    kinds = _UNCHANGED.get(type(field).to_representation, ())
    if model_field is not None and model_field.is_relation and kinds is _WHOLE:
        model_field = model_field.target_field
    if model_field is None or model_field.get_internal_type() not in kinds:
        return False
    if isinstance(field, fields.ChoiceField):
        return all(isinstance(each, str) for each in field.choices)
    return not any(getattr(field, name, None) for name in ("binary", "coerce_to_string", "pk_field"))


def shows_time(field: Any, model_field: Any) -> bool:
    """Return whether a field is a time that is shown in UTC as ISO 8601."""
    is_one = type(field).to_representation is fields.DateTimeField.to_representation and "timezone" not in vars(field)
    written = str(getattr(field, "format", api_settings.DATETIME_FORMAT)).lower()
    return is_one and written == ISO_8601 and model_field is not None


def may_be_omitted(field: Any, model: Any) -> bool:
    """Return whether REST framework would omit the field, or use its default, if a related row is missing."""
    path = field.source.split(".")[:-1]
    if field.allow_null and field.default is fields.empty:
        return False
    return any(getattr(model_field_of(model, "__".join(path[: i + 1])), "null", True) for i in range(len(path)))


def time_text(text: str | None) -> str | None:
    """Return a time in the format of REST framework, made from text: a datetime object would cost ten times more."""
    if text is None:
        return None
    if len(text) in _LENGTHS:
        return f"{text[:10]}T{text[11:-3]}Z"  # without the +00 of a session in UTC
    whole, _, fraction = text[:-3].partition(".")
    return f"{whole[:10]}T{whole[11:]}.{fraction:0<6}Z"
