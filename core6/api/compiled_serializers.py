"""Compiles serializers to the list of columns that they read, and to functions that make JSON of a row of them.

Rows stay tuples: no model instance is made, and no field is looked up for each row. A custom `get_attribute` or a
`SerializerMethodField` needs an instance: such a serializer is not compiled (NotCompilable), and REST framework renders
it. Use `FromColumns` for computed fields.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from django.core.exceptions import FieldError
from django.db import connection
from django.db.models import F, QuerySet, TextField
from django.db.models.functions import Cast
from rest_framework import fields, serializers

from core6.api.compiled_fields import (
    FromColumns,
    NotCompilable,
    column_condition,
    constant_of,
    may_be_omitted,
    model_field_of,
    shows_time,
    shows_unchanged,
    time_text,
)
from core6.api.repeatable import OF_SERIALIZERS, overridden, overrides
from core6.database.prepared import Place, Statement, text_of

Row = Sequence[Any]
#: Returns the value of a field, given a row, the serializer's context, and the prefetched rows by their parents.
Maker = Callable[[Row, Any, Sequence[Mapping[Any, Any]]], Any]
#: Methods that a field may override and still be compiled, since the compiled code calls them.
_CALLED: Final = {"from_columns", "to_representation"}
#: Methods that a serializer may override if they are repeatable: they only build the fields.
_OF_FIELDS: Final = {"build_standard_field"}


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
        if may_be_omitted(field, serializer.Meta.model):
            raise NotCompilable(f"{name} is left out where {field.source} is missing")
        column = prefix + field.source.replace(".", "__")
        if isinstance(field, serializers.ListSerializer):
            return self._many(serializer, field, column, prefix)
        if isinstance(field, serializers.Serializer):
            return self._one(field, column)
        if self._is_column(column):
            return self._plain(field, column)
        show, constant = field.to_representation, constant_of(serializer.Meta.model, field.source)
        return 0, lambda *_: show(constant)

    def _is_column(self, name: str) -> bool:
        try:
            self._queryset.values_list(name)
        except FieldError:
            return False
        return True

    def _plain(self, field: Any, column: str) -> tuple[int, Maker | None]:
        """Return the same as _field for a field that reads one column."""
        model_field = model_field_of(self._model, column)
        is_unchanged = shows_unchanged(field, model_field)
        is_read_simply = type(field).get_attribute is fields.Field.get_attribute and field.source != "*"
        if not is_unchanged and not is_read_simply:
            raise NotCompilable(f"{column} is not read simply")
        if shows_time(field, model_field):
            index = self._column(f"{column} as text", Cast(F(column), TextField()))
            return index, lambda row, *_: time_text(row[index])
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
            decode = getattr(model_field_of(self._model, name), "from_db_value", None)
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
