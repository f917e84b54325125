"""Compiles serializers to the list of columns that they read, and to functions that make JSON of a row of them.

Rows stay tuples: no model instance is made, and no field is looked up for each row. A custom `get_attribute` or a
`SerializerMethodField` needs an instance: such a serializer is not compiled (NotCompilable), and REST framework renders
it. Use `FromColumns` for computed fields.
"""

from collections.abc import Callable, Mapping, Sequence
from inspect import getattr_static
from operator import itemgetter
from typing import Any, ClassVar, Final

from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db import connection
from django.db.models import BooleanField, F, Field, QuerySet, TextField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast
from rest_framework import ISO_8601, fields, relations, serializers
from rest_framework.settings import api_settings

from core6.api.repeatable import OF_SERIALIZERS, overridden, overrides
from core6.database.prepared import Place, Statement, text_of

Row = Sequence[Any]
#: Returns the value of a field, given a row, the serializer's context, and the prefetched rows by their parents.
Maker = Callable[[Row, Any, Sequence[Mapping[Any, Any]]], Any]
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
#: Methods that a field may override and still be compiled, since the compiled code calls them.
_CALLED: Final = {"from_columns", "to_representation"}
#: Methods that a serializer may override if they are repeatable: they only build the fields.
_OF_FIELDS: Final = {"build_standard_field"}


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
        return self.from_columns(self.context, *(_value(instance, name) for name in self.columns))  # type: ignore[attr-defined]  # of a field


def _value(instance: Any, name: str) -> Any:
    for part in name.split("__"):
        instance = None if instance is None else getattr(instance, part)
    return instance


class CompiledSerializer:
    """A compiled serializer: `columns` for `values_list`, and `represent` for its rows."""

    def __init__(
        self,
        serializer: serializers.Serializer[Any],
        queryset: QuerySet[Any],
        prefetched: Mapping[str, QuerySet[Any]] | None = None,
    ) -> None:
        self._queryset, self._model = queryset, queryset.model
        self.columns: list[Any] = []
        self.children: list[CompiledPrefetch] = []
        #: Whether a computed field needs the context of the serializer.
        self.needs_context = False
        #: Whether equal rows always have equal results.
        self.is_repeatable = True
        self._names: list[str] = []
        self._decoders: list[tuple[int, Callable[..., Any]]] = []
        self._prefetched = prefetched or {}
        self._make = self._object(serializer, "")

    def represent(
        self,
        rows: Sequence[Row],
        context: Mapping[str, Any] | None = None,
        values: Mapping[str, Any] | None = None,
        using: str = "default",
    ) -> list[dict[str, Any]]:
        """Return the JSON of rows; `context` is the serializer's, `values` are the values of the Parameters."""
        if not rows:
            return []
        related = [each.of(rows, values or {}, using) for each in self.children]
        make = self._make
        return [make(row, context, related) for row in rows]

    def decoded(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Return rows of a prepared statement as a queryset would return them."""
        return [self._decoded(row) for row in rows] if self._decoders else rows

    def _decoded(self, row: Row) -> Row:
        decoded = list(row)
        for index, decode in self._decoders:
            decoded[index] = decode(row[index], None, connection)
        return decoded

    def _object(self, serializer: Any, prefix: str) -> Maker:
        """Return the function for an object of a serializer, whose columns begin with the prefix."""
        code = overridden(type(serializer)) - OF_SERIALIZERS
        if code - _OF_FIELDS or overrides(type(serializer), OF_SERIALIZERS):
            raise NotCompilable(f"{type(serializer).__name__} has custom code")
        names: list[str] = []
        indexes: list[int] = []
        makers: list[tuple[str, Maker]] = []
        for name, field in serializer.fields.items():
            if field.write_only:
                continue
            index, maker = self._field(serializer, field, name, prefix)
            names.append(name)
            indexes.append(index)
            if maker:
                makers.append((name, maker))
        pick = itemgetter(*indexes, 0)  # at least two, so that it always returns a tuple

        def make(row: Row, context: Any, related: Sequence[Mapping[Any, Any]]) -> dict[str, Any]:
            made = dict(zip(names, pick(row), strict=False))
            for name, maker in makers:
                made[name] = maker(row, context, related)
            return made

        return make

    def _field(self, serializer: Any, field: Any, name: str, prefix: str) -> tuple[int, Maker | None]:
        """Return the index of a field's column, and the function for its value, None if that is the column itself."""
        if overrides(type(field), OF_SERIALIZERS):
            self.is_repeatable = False
        code = overridden(type(field)) - OF_SERIALIZERS - _CALLED
        if code or vars(field).keys() & {"get_attribute", "to_representation"}:
            raise NotCompilable(f"{name} has custom code")
        if isinstance(field, FromColumns):
            return self._computed(field, prefix)
        if _may_be_omitted(field, serializer.Meta.model):
            raise NotCompilable(f"{name} is left out where {field.source} is missing")
        column = prefix + field.source.replace(".", "__")
        if isinstance(field, serializers.ListSerializer):
            return self._many(serializer, field, column, prefix)
        if isinstance(field, serializers.Serializer):
            return self._one(field, column)
        if self._is_column(column):
            return self._plain(field, column)
        show, constant = field.to_representation, _constant(serializer.Meta.model, field.source)
        return 0, lambda *_: show(constant)

    def _is_column(self, name: str) -> bool:
        try:
            self._queryset.values_list(name)
        except FieldError:
            return False
        return True

    def _plain(self, field: Any, column: str) -> tuple[int, Maker | None]:
        """Return the same as _field for a field that reads one column."""
        model_field = _model_field(self._model, column)
        is_unchanged = _is_unchanged(field, model_field)
        is_read_simply = type(field).get_attribute is fields.Field.get_attribute and field.source != "*"
        if not is_unchanged and not is_read_simply:
            raise NotCompilable(f"{column} is not read simply")
        if _is_time(field, model_field):
            index = self._column(f"{column} as text", Cast(F(column), TextField()))
            return index, lambda row, *_: _time(row[index])
        index = self._column(column)
        if is_unchanged:
            return index, None
        show = field.to_representation
        return index, lambda row, *_: None if row[index] is None else show(row[index])

    def _computed(self, field: Any, prefix: str) -> tuple[int, Maker]:
        self.needs_context = True
        indexes = [self._column(prefix + each) for each in field.columns]

        def make(row: Row, context: Any, _: Any) -> Any:
            value = field.from_columns(context, *[row[index] for index in indexes])
            return None if value is None else field.to_representation(value)

        return 0, make

    def _one(self, field: Any, column: str) -> tuple[int, Maker]:
        index = self._column(f"{column}__pk")
        make = self._object(field, f"{column}__")

        def nested(row: Row, context: Any, related: Any) -> Any:
            return None if row[index] is None else make(row, context, related)

        return 0, nested

    def _many(self, serializer: Any, field: Any, column: str, prefix: str) -> tuple[int, Maker]:
        if prefix:
            raise NotCompilable(f"{column}: a list within an object")
        related = serializer.Meta.model._meta.get_field(column)
        queryset = self._prefetched.get(column)
        if queryset is None:
            queryset = related.related_model._default_manager.all()
        children = CompiledPrefetch(field.child, related.field, queryset, self._column("pk"))
        self.children.append(children)
        self.is_repeatable &= children.is_repeatable
        index, number = children.parent_index, len(self.children) - 1
        return 0, lambda row, _, found: found[number].get(row[index], [])

    def _column(self, name: str, expression: Any = None) -> int:
        if name not in self._names:
            self._names.append(name)
            self.columns.append(expression or name)
            decode = getattr(_model_field(self._model, name), "from_db_value", None)
            if decode and expression is None:
                self._decoders.append((len(self._names) - 1, decode))
        return self._names.index(name)


class CompiledPrefetch:
    """The related rows of all rows of a page, read by one more statement."""

    def __init__(self, serializer: Any, relation: Any, queryset: QuerySet[Any], parent_index: int) -> None:
        self.parent_index = parent_index
        self._compiled = CompiledSerializer(serializer, queryset)
        if self._compiled.children or self._compiled.needs_context:
            raise NotCompilable(f"{type(serializer).__name__} in a list")
        self.is_repeatable = self._compiled.is_repeatable
        of_parents = column_condition(relation, "= ANY(%s)", [Place("parents")])
        columns = [*self._compiled.columns, relation.attname]
        self._statement = Statement(text_of(queryset.filter(of_parents).values_list(*columns)))

    def of(self, rows: Sequence[Row], values: Mapping[str, Any], using: str) -> dict[Any, list[dict[str, Any]]]:
        """Return the related rows as JSON, by the key of their parent."""
        found: dict[Any, list[dict[str, Any]]] = {}
        parents = [row[self.parent_index] for row in rows]
        children = self._compiled.decoded(self._statement.run({**values, "parents": parents}, using))
        for child, made in zip(children, self._compiled.represent(children), strict=True):
            found.setdefault(child[-1], []).append(made)
        return found


def column_condition(field: Any, condition: str, values: Sequence[Any]) -> RawSQL:
    """Return a condition on a column in SQL, such as `= ANY(%s)`."""
    column = f'"{field.model._meta.db_table}"."{field.column}"'
    return RawSQL(f"{column} {condition}", values, output_field=BooleanField())  # noqa: S611  # our own text


def _model_field(model: Any, name: str) -> "Field[Any, Any] | None":
    """Return the model field of a column such as `created_by__email`; None if there is none."""
    found: Any = None
    for part in name.split("__"):
        try:
            found = model._meta.pk if part == "pk" else model._meta.get_field(part)
        except FieldDoesNotExist:
            return None
        model = found.related_model
    return found  # type: ignore[no-any-return]  # as the loop ran at least once


def _constant(model: Any, name: str) -> Any:
    """Return the value of a plain class attribute of a model, which is the same for every row."""
    found = getattr_static(model, name, None)
    if found is None or hasattr(found, "__get__"):
        raise NotCompilable(f"{model.__name__}.{name} is no column")
    return found


def _is_unchanged(field: Any, model_field: Any) -> bool:
    """Return whether the JSON of a field is the unchanged value of its column."""
    kinds = _UNCHANGED.get(type(field).to_representation, ())
    if model_field is not None and model_field.is_relation and kinds is _WHOLE:
        model_field = model_field.target_field
    if model_field is None or model_field.get_internal_type() not in kinds:
        return False
    if isinstance(field, fields.ChoiceField):
        return all(isinstance(each, str) for each in field.choices)
    return not any(getattr(field, name, None) for name in ("binary", "coerce_to_string", "pk_field"))


def _is_time(field: Any, model_field: Any) -> bool:
    """Return whether a field is a time that is shown in UTC as ISO 8601."""
    is_one = type(field).to_representation is fields.DateTimeField.to_representation and "timezone" not in vars(field)
    written = str(getattr(field, "format", api_settings.DATETIME_FORMAT)).lower()
    return is_one and written == ISO_8601 and model_field is not None


def _may_be_omitted(field: Any, model: Any) -> bool:
    """Return whether REST framework would omit the field, or use its default, if a related row is missing."""
    path = field.source.split(".")[:-1]
    if field.allow_null and field.default is fields.empty:
        return False
    return any(getattr(_model_field(model, "__".join(path[: i + 1])), "null", True) for i in range(len(path)))


def _time(text: str | None) -> str | None:
    """Return a time in the format of REST framework, made from text: a datetime object would cost ten times more."""
    if text is None:
        return None
    if len(text) in _LENGTHS:
        return f"{text[:10]}T{text[11:-3]}Z"  # without the +00 of a session in UTC
    whole, _, fraction = text[:-3].partition(".")
    return f"{whole[:10]}T{whole[11:]}.{fraction:0<6}Z"
