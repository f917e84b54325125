"""Querysets compiled once to statements: Django would build the SQL each time, which costs more than running it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import BigIntegerField, Expression, Model, QuerySet, UUIDField
from psycopg.sql import Literal

M = TypeVar("M", bound=Model)


class Place(str):
    """The placeholder of a Parameter in the values of a Text; a str, since Django logs values."""

    __slots__ = ()


class Parameter(Expression):
    """An expression in querysets for a value that is passed, by its name, to each run of a statement."""

    def __init__(self, name: str, output_field: Any = None) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[str | int, ...]]:
        return "%s", (Place(self.name),)


PROJECT = Parameter("project", BigIntegerField())
ORGANIZATION = Parameter("organization", UUIDField())


class Text(NamedTuple):
    """SQL, and the values of its `%s`: constants, and Places of Parameters."""

    sql: str
    values: Sequence[Any] = ()

    def within(self, form: str, *more: Parameter) -> "Text":
        """Return this text inserted at `{}` in `form`, whose own `%s` come after it and hold the Parameters `more`."""
        return Text(form.format(self.sql), [*self.values, *(Place(each.name) for each in more)])


class _Captured(Exception):
    """Carries the SQL of a query that is not run."""

    def __init__(self, text: Text) -> None:
        self.text = text


def text_of(queryset: QuerySet[Any]) -> Text:
    """Return the SQL of a queryset without running it; raises ValueError for one that never has rows."""

    def capture(_execute: Any, sql: str, values: Any, *_: Any) -> Any:
        raise _Captured(Text(sql, values or ()))

    with connection.execute_wrapper(capture):
        try:
            list(queryset.using(DEFAULT_DB_ALIAS))
        except _Captured as captured:
            return captured.text
    raise ValueError("The queryset has no statement: it can have no rows.")


class Statement:
    """A statement whose runs bind only its Parameters.

    Constants are part of its SQL, since Postgres uses a partial index only for constants.
    """

    def __init__(self, text: Text) -> None:
        self.names: list[str] = []
        rest = iter(text.values)

        def fill(_: re.Match[str]) -> str:
            value = next(rest)
            if isinstance(value, Place):
                self.names.append(str(value))
                return "%s"
            connection.ensure_connection()
            return Literal(value).as_string(connection.connection).replace("%", "%%")

        self.sql = re.sub("%%|%s", lambda found: fill(found) if found[0] == "%s" else "%%", text.sql)

    def run(self, values: Mapping[str, Any], using: str = DEFAULT_DB_ALIAS) -> Sequence[Sequence[Any]]:
        """Return the rows for these values of the Parameters."""
        with connections[using].cursor() as cursor:
            cursor.execute(self.sql, [values[name] for name in self.names])
            rows: Sequence[Sequence[Any]] = cursor.fetchall()
        return rows


class CompiledObject:
    """The statement that reads one model instance, with the named related instances and annotations.

    Raises ValueError for a queryset with other columns than these.
    """

    def __init__(
        self, queryset: QuerySet[Any], related: Sequence[str], annotated: Sequence[str], *, is_locking: bool
    ) -> None:
        meta = queryset.model._meta
        self._model, self._related, self._annotated = queryset.model, related, annotated
        self._kinds = [meta.get_field(name).related_model for name in related]
        columns = [field.attname for field in meta.concrete_fields]
        for name, kind in zip(related, self._kinds, strict=True):
            columns += [f"{name}__{field.attname}" for field in kind._meta.concrete_fields]
        text = text_of(queryset.values_list(*columns, *annotated))
        self._check(text_of(queryset.select_related(None)), len(meta.concrete_fields) + len(annotated))
        lock = ' FOR UPDATE OF "%s"' % meta.db_table if is_locking else ""  # noqa: UP031  # braces have a meaning there
        self._statement = Statement(text.within("{}" + lock))

    @staticmethod
    def _check(text: Text, expected: int) -> None:
        statement = Statement(text.within("SELECT * FROM ({}) found LIMIT 0"))
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, [None] * len(statement.names))
            if len(cursor.description) != expected:
                raise ValueError("The queryset has columns that nobody has named.")

    def first(self, values: Mapping[str, Any]) -> Any:
        """Return the instance for these values of the Parameters, or None."""
        rows = self._statement.run(values)
        if not rows:
            return None
        row = iter(rows[0])
        found = from_row(self._model, row)
        for name, kind in zip(self._related, self._kinds, strict=True):
            other = from_row(kind, row)
            setattr(found, name, other if other.pk is not None else None)
        for name in self._annotated:
            setattr(found, name, next(row))
        return found


def from_row(model: type[M], values: Iterator[Any]) -> M:
    """Return a model instance from the next values of a row, which are those of its fields in their order."""
    names, decoders = _fields_of(model)
    read = list(islice(values, len(names)))
    for index, decode in decoders:
        read[index] = decode(read[index], None, connection)
    return model.from_db(connection.alias, names, read)


@cache
def _fields_of(model: type[Model]) -> tuple[list[str], list[tuple[int, Any]]]:
    """Return the names of a model's columns, and the decoders of those that have one, by their indexes."""
    fields = model._meta.concrete_fields
    decoders = [(index, getattr(field, "from_db_value", None)) for index, field in enumerate(fields)]
    return [field.attname for field in fields], [(index, decode) for index, decode in decoders if decode]
