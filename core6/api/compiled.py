"""Querysets and serializers compiled once: to statements whose values are filled in, to functions that make JSON."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from inspect import getattr_static
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

from django.db import connection, connections
from django.db.models import BooleanField, F, QuerySet, TextField, prefetch_related_objects
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast
from django.db.models.query import get_related_populators
from django.db.models.sql.where import AND, OR, WhereNode
from psycopg.sql import Literal
from rest_framework import fields, relations, serializers

from core6 import replica

#: Stand in a statement that is being compiled for what each request fills in.
_PLACES: Final[Mapping[Any, str]] = {
    UUID(int=0x6C6F6F6B_0000_7000_8000_000000000001): "organization",
    UUID(int=0x6C6F6F6B_0000_7000_8000_000000000002): "uuid",
    2**62 + 11: "project",
    2**62 + 12: "number",
    2**62 + 13: "user",
    1_000_000_007: "limit",
    1_000_000_009: "offset",
    1_000_000_021: "end",
}
STAND_IN: Final = {name: value for value, name in _PLACES.items()}
_PAGE_PLACES = re.compile("|".join(["%s", *(str(STAND_IN[name]) for name in ("limit", "offset", "end"))]))
#: Fields whose JSON is the value of their column.
_PLAIN: Final = (
    *(fields.CharField, fields.IntegerField, fields.BooleanField, fields.UUIDField),
    *(fields.ChoiceField, fields.JSONField, fields.DictField, relations.PrimaryKeyRelatedField),
)


class NotCompilable(Exception):
    """A field or a view does something that this module does not know."""


class Row:
    """The columns of a row as attributes, with the properties of their model: what a computed field is given."""

    def __init__(self, model: Any, **columns: Any) -> None:
        self.__dict__.update(columns, _model=model)

    def __getattr__(self, name: str) -> Any:
        found = _static(self._model, name)
        return found.fget(self) if isinstance(found, property) and found.fget else found


@cache
def _static(model: Any, name: str) -> Any:
    return getattr_static(model, name)


class Statement:
    """A query compiled once; each run fills in its places, which are all that it binds.

    What a declaration compares with stands in the text: with values that are bound no partial index would be used.
    `form` is the text around the query's, `names` are the places in front of it and `columns` the number of its
    columns; `known` is what stands in a place that is not bound.
    """

    def __init__(
        self,
        queryset: QuerySet[Any],
        form: str = "{}",
        names: Sequence[str] = (),
        columns: int = 0,
        known: Mapping[str, str] | None = None,
    ) -> None:
        self._compiler = queryset.query.get_compiler(connection=connection)
        text, values = self._compiler.as_sql()
        found = self._compiler.get_converters([each[0] for each in self._compiler.select])
        self._converters = {place + columns: each for place, each in found.items()}
        self._places = list(names)
        rest = iter(values)

        def fill(found: re.Match[str]) -> str:
            value = next(rest) if found[0] == "%s" else int(found[0])
            name = _PLACES.get(value) if isinstance(value, int | UUID | str) else None
            if name is None:
                connection.ensure_connection()
                return str(Literal(value).as_string(connection.connection)).replace("%", "%%")
            if known and name in known:
                return known[name]
            self._places.append(name)
            return "%s"

        self._text = form.format(_PAGE_PLACES.sub(fill, text))

    def run(self, given: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Return the rows with the given values in their places, from where the request in progress reads."""
        with connections[replica.alias()].cursor() as cursor:
            cursor.execute(self._text, [given[name] for name in self._places])
            rows = cursor.fetchall()
        return list(self._compiler.apply_converters(rows, self._converters)) if self._converters else rows


class Objects(Statement):
    """A query of whole objects compiled once, with what it selects and fetches of related ones and its annotations."""

    def __init__(self, queryset: QuerySet[Any]) -> None:
        super().__init__(queryset)
        info: Any = self._compiler.klass_info
        self._model, self._database = info["model"], queryset.db
        self._prefetched = queryset._prefetch_related_lookups  # type: ignore[attr-defined]  # Django has no public name
        fields_of = [
            column[0].target.attname for column in map(self._compiler.select.__getitem__, info["select_fields"])
        ]
        self._names, self._columns = fields_of, slice(info["select_fields"][0], info["select_fields"][-1] + 1)
        self._related = get_related_populators(info, self._compiler.select, self._database)  # type: ignore[call-arg]
        self._annotations = list(self._compiler.annotation_col_map.items())

    def first(self, given: Mapping[str, Any]) -> Any:
        """Return the first object, or None."""
        rows = self.run(given)
        if not rows:
            return None
        row = rows[0]
        found = self._model.from_db(self._database, self._names, row[self._columns])
        for related in self._related:
            related.populate(row, found)
        for name, place in self._annotations:
            setattr(found, name, row[place])
        if self._prefetched:
            prefetch_related_objects([found], *self._prefetched)
        return found


class Representation:
    """A serializer compiled to the columns that it needs and to the text of a function that makes its JSON of them."""

    def __init__(self, serializer: serializers.Serializer[Any], prefetches: Mapping[str, QuerySet[Any]]) -> None:
        self.columns: list[Any] = []
        self.children: list[Children] = []
        self._names: list[str] = []
        self._constants: list[Any] = []
        self._prefetches = prefetches
        self.text = self._object(serializer, "", "s")
        #: Takes the columns, the root serializer, and the rows of children by the key of their parent.
        self.make = eval(f"lambda r, s, k: {self.text}", {"c": self._constants})  # noqa: S307  # of names of fields alone

    def _object(self, serializer: Any, prefix: str, instance: str) -> str:
        """Return the text of an object; `w` is the row that its computed fields are given."""
        reads = getattr(serializer.Meta, "reads", {})
        parts = [
            f"{name!r}: {self._field(field, name, prefix, instance, is_computed=name in reads)}"
            for name, field in serializer.fields.items()
            if not field.write_only
        ]
        made = "{" + ", ".join(parts) + "}"
        if not reads:
            return made
        places = {read: self._column(prefix + read) for each in reads.values() for read in each}
        make = _row_maker(serializer.Meta.model, places)
        row = f"{self._constant(make)}(r)" if places else self._constant(make(()))
        return f"(lambda w: {made})({row})"

    def _field(self, field: Any, name: str, prefix: str, instance: str, *, is_computed: bool) -> str:
        column = prefix + (field.source or name).replace(".", "__")
        if isinstance(field, serializers.ListSerializer):
            return self._many(field, column)
        if isinstance(field, serializers.Serializer):
            inner = self._object(field, f"{column}__", self._constant(field))
            return f"(None if r[{self._column(f'{column}__pk')}] is None else {inner})"
        if isinstance(field, serializers.SerializerMethodField) and is_computed:
            return f"{instance}.{field.method_name}(w)"
        if is_computed:
            return f"{self._constant(_attribute_reader(field))}(w)"
        if type(field).get_attribute is not fields.Field.get_attribute and not isinstance(field, _PLAIN):
            raise NotCompilable(name)
        if isinstance(field, serializers.SerializerMethodField) or field.source == "*":
            raise NotCompilable(name)
        if type(field) is fields.DateTimeField:
            value = f"r[{self._column(f'{column} as text', Cast(F(column), TextField()))}]"
            return f"(None if {value} is None else {self._constant(_time)}({value}))"
        value = f"r[{self._column(column)}]"
        if isinstance(field, _PLAIN):
            return value
        return f"(None if {value} is None else {self._constant(field.to_representation)}({value}))"

    def _many(self, field: Any, column: str) -> str:
        related = field.child.Meta.model._default_manager.all()
        self.children.append(Children(field, column, self._prefetches.get(column, related)))
        return f"k[{len(self.children) - 1}].get(r[{self._column('pk')}], [])"

    def _column(self, name: str, expression: Any = None) -> int:
        if name not in self._names:
            self._names.append(name)
            self.columns.append(expression or name)
        return self._names.index(name)

    def _constant(self, value: Any) -> str:
        self._constants.append(value)
        return f"c[{len(self._constants) - 1}]"


class Children:
    """The related rows that each row of a page lists, read by one more statement."""

    def __init__(self, field: Any, relation: str, queryset: QuerySet[Any]) -> None:
        self._field = field.child
        self._parent = field.parent.Meta.model._meta.get_field(relation).field
        self._queryset = queryset
        self._compiled = Representation(field.child, {})

    def prepare(self, page: tuple[str, Sequence[Any]]) -> None:
        columns = [*self._compiled.columns, self._parent.attname]
        self._statement = Statement(self._queryset.filter(among(self._parent, page)).values_list(*columns))

    def run(self, given: Mapping[str, Any]) -> dict[Any, list[dict[str, Any]]]:
        found: dict[Any, list[dict[str, Any]]] = {}
        for row in self._statement.run(given):
            found.setdefault(row[-1], []).append(self._compiled.make(row, self._field, ()))
        return found


class Listed:
    """What a serializer makes of the rows of a queryset, both compiled."""

    def __init__(self, serializer: serializers.Serializer[Any], queryset: QuerySet[Any]) -> None:
        self._serializer, self._compiled = serializer, Representation(serializer, {})
        self._statement = Statement(queryset.values_list(*self._compiled.columns))

    def run(self, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [self._compiled.make(row, self._serializer, ()) for row in self._statement.run(given)]


def sql_of(queryset: QuerySet[Any], form: str = "{}") -> tuple[str, Sequence[Any]]:
    """Return the text of a query in its place in another's, and its values."""
    text, values = queryset.query.sql_with_params()
    return form.format(text), values


def branches_of(queryset: QuerySet[Any]) -> list[QuerySet[Any]]:
    """Return a queryset in pieces that have no row in common where its scope is an OR, which no index has in order."""
    ors = [i for i, each in enumerate(queryset.query.where.children) if getattr(each, "connector", "") == OR]
    if len(ors) != 1:
        return [queryset]
    place = ors[0]
    pieces: Any = queryset.query.where.children[place].children  # type: ignore[union-attr]  # a node, as it has OR
    found = []
    for i, piece in enumerate(pieces):
        branch = queryset.all()
        before = [WhereNode(pieces[:i], OR, negated=True)] if i else []
        branch.query.where.children[place] = WhereNode([piece, *before], AND)
        found.append(branch)
    return found


def page_of(branches: Sequence[QuerySet[Any]]) -> tuple[str, Sequence[Any]]:
    """Return the statement of the keys of a page: of each branch as many as reach its end, then of all its own."""
    start, size, end = (STAND_IN[name] for name in ("offset", "limit", "end"))
    if len(branches) == 1:
        return sql_of(branches[0].values("pk")[start : start + size])
    order = [(name.lstrip("-"), " DESC" if name[0] == "-" else "") for name in map(str, branches[0].query.order_by)]
    names = [name for name, _ in order]
    parts = [sql_of(each.values_list("pk", *names)[:end], "({})") for each in branches]
    text = " UNION ALL ".join(text for text, _ in parts)
    by = ", ".join(f'"{name}"{direction}' for name, direction in order)
    page = f"SELECT pk FROM ({text}) page ORDER BY {by} LIMIT {size} OFFSET {start}"  # noqa: S608  # Django's own text
    return page, [value for _, values in parts for value in values]


def count_of(branches: Sequence[QuerySet[Any]]) -> RawSQL:
    """Return the number of all rows of the branches, as a column."""
    counts = [sql_of(each.order_by().values("pk"), "(SELECT count(*) FROM ({}) counted)") for each in branches]
    values = [value for _, values in counts for value in values]
    return RawSQL(" + ".join(text for text, _ in counts), values)  # noqa: S611  # Django's own text


def among(field: Any, page: tuple[str, Sequence[Any]]) -> RawSQL:
    """Return the condition that a column is one of the keys of a page, which are found first, whatever is planned."""
    text, values = page
    place = f'"{field.model._meta.db_table}"."{field.column}"'
    return RawSQL(f"{place} = ANY(ARRAY({text}))", values, output_field=BooleanField())  # noqa: S611  # as above


def _row_maker(model: Any, places: Mapping[str, int]) -> Callable[[Sequence[Any]], Any]:
    """Return what makes a Row of a row's columns; `organization__default_role_id` is an attribute of an attribute."""
    plain = [(name, place) for name, place in places.items() if "__" not in name]
    nested = [(name.split("__", 1), place) for name, place in places.items() if "__" in name]

    def make(row: Sequence[Any]) -> Row:
        made: dict[str, Any] = {name: row[place] for name, place in plain}
        for (outer, inner), place in nested:
            setattr(made.setdefault(outer, SimpleNamespace()), inner, row[place])
        return Row(model, **made)

    return make


def _attribute_reader(field: Any) -> Callable[[Any], Any]:
    def read(row: Any) -> Any:
        value = field.get_attribute(row)
        return None if value is None else field.to_representation(value)

    return read


def _time(text: str) -> str:
    """Return a time as REST framework writes it; made of text, since a detour over an object costs ten times more."""
    whole, _, fraction = text[:-3].partition(".")  # without the +00 of a session in UTC
    return f"{whole[:10]}T{whole[11:]}.{fraction:0<6}Z" if fraction else f"{whole[:10]}T{whole[11:]}Z"
