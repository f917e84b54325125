"""Querysets made once into statements: Django would build the text of each anew, which costs more than running it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import BigIntegerField, Expression, QuerySet, UUIDField
from psycopg.sql import Literal


class Place(str):
    """What stands among the values of a text for a Parameter; a text itself, as Django writes values into its log."""

    __slots__ = ()


class Parameter(Expression):
    """A value that each run of a statement is given, by its name; it stands in querysets like any expression."""

    def __init__(self, name: str, output_field: Any = None) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[str | int, ...]]:
        return "%s", (Place(self.name),)


PROJECT = Parameter("project", BigIntegerField())
ORGANIZATION = Parameter("organization", UUIDField())


class Text(NamedTuple):
    """SQL, and what stands in its places: constants, and Places of Parameters."""

    sql: str
    values: Sequence[Any] = ()

    def within(self, form: str, *more: Parameter) -> "Text":
        """Return this text in the place `{}` of another, whose own places come behind it and hold `more`."""
        return Text(form.format(self.sql), [*self.values, *(Place(each.name) for each in more)])


class _Captured(Exception):
    """Carries the text of a query that is not run."""

    def __init__(self, text: Text) -> None:
        self.text = text


def text_of(queryset: QuerySet[Any]) -> Text:
    """Return the SQL of a queryset, which is not run; raises ValueError for one that never has rows."""

    def capture(_execute: Any, sql: str, values: Any, *_: Any) -> Any:
        raise _Captured(Text(sql, values or ()))

    with connection.execute_wrapper(capture):
        try:
            list(queryset.using(DEFAULT_DB_ALIAS))
        except _Captured as captured:
            return captured.text
    raise ValueError("The queryset has no statement: it can have no rows.")


class Statement:
    """A statement made once; each run binds its Parameters, and nothing else.

    Constants stand in the text: no partial index fits a value that is bound later.
    """

    def __init__(self, text: Text) -> None:
        self._names: list[str] = []
        rest = iter(text.values)

        def fill(_: re.Match[str]) -> str:
            value = next(rest)
            if isinstance(value, Place):
                self._names.append(str(value))
                return "%s"
            connection.ensure_connection()
            return Literal(value).as_string(connection.connection).replace("%", "%%")

        self.sql = re.sub("%%|%s", lambda place: fill(place) if place[0] == "%s" else "%%", text.sql)

    def run(self, values: Mapping[str, Any], using: str = DEFAULT_DB_ALIAS) -> Sequence[Sequence[Any]]:
        """Return the rows for these values of the Parameters."""
        with connections[using].cursor() as cursor:
            cursor.execute(self.sql, [values[name] for name in self._names])
            rows: Sequence[Sequence[Any]] = cursor.fetchall()
        return rows
