"""Stores rows by statements that are built once for each model: Django would build them for each row, which is slow."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import CharField, Field, Model, TextField
from psycopg import sql


@dataclass(frozen=True)
class Companion:
    """A row that is stored in the same statement as another row, whose key, as text, is in one of its fields."""

    row: Model
    field: str


def insert(instance: Model, companion: Companion | None = None) -> None:
    """Insert a row; like `save`, but without signals and without a check whether it exists."""
    text, fields = _insertion(type(instance), *_kind(companion))
    values = [_value(field, instance, is_new=True) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(text, [*values, *_values(companion)])
        (instance.pk,) = cursor.fetchone()
    instance._state.adding, instance._state.db = False, connection.alias


def update(instance: Model, names: Sequence[str], companion: Companion | None = None) -> None:
    """Update the named fields of an existing row; does nothing if there are none."""
    if not names:
        return
    text, fields = _change(type(instance), tuple(names), *_kind(companion))
    values = [_value(field, instance, is_new=False) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(text, [*values, instance.pk, *_values(companion)])


def _value(field: "Field[Any, Any]", instance: Model, *, is_new: bool) -> Any:
    return field.get_db_prep_save(field.pre_save(instance, is_new), connection)


def _values(companion: Companion | None) -> list[Any]:
    if companion is None:
        return []
    fields = [field for field in companion.row._meta.concrete_fields if field.name != companion.field]
    return [_value(field, companion.row, is_new=True) for field in fields]


def _kind(companion: Companion | None) -> tuple[type[Model] | None, str]:
    return (type(companion.row), companion.field) if companion else (None, "")


@cache
def _insertion(model: type[Model], companion: type[Model] | None, key: str) -> tuple[str, list[Any]]:
    meta: Any = model._meta
    fields = [
        field for field in meta.concrete_fields if not (field.generated or (field is meta.pk and meta.pk.db_returning))
    ]
    columns = sql.SQL(", ").join(sql.Identifier(field.column) for field in fields)
    values = sql.SQL(", ").join(sql.Placeholder() * len(fields))
    parts = sql.Identifier(meta.db_table), columns, values, sql.Identifier(meta.pk.column)
    text = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING {}").format(*parts)
    return _with_companion(text, meta.pk, companion, key).as_string(None), fields


@cache
def _change(
    model: type[Model], names: tuple[str, ...], companion: type[Model] | None, key: str
) -> tuple[str, list[Any]]:
    meta: Any = model._meta
    fields = [meta.get_field(name) for name in names]
    pairs = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(field.column)) for field in fields)
    parts = sql.Identifier(meta.db_table), pairs, sql.Identifier(meta.pk.column), sql.Identifier(meta.pk.column)
    text = sql.SQL("UPDATE {} SET {} WHERE {} = %s RETURNING {}").format(*parts)
    return _with_companion(text, meta.pk, companion, key).as_string(None), fields


def _with_companion(text: sql.Composed, pk: "Field[Any, Any]", companion: type[Model] | None, key: str) -> sql.Composed:
    """Return a statement that runs `text`, and stores the companion with the key that it returns."""
    if companion is None:
        return text
    meta: Any = companion._meta
    others = [field for field in meta.concrete_fields if field.name != key]
    columns = [sql.Identifier(field.column) for field in others]
    parts = {
        "written": text,
        "table": sql.Identifier(meta.db_table),
        "columns": sql.SQL(", ").join([*columns, sql.Identifier(meta.get_field(key).column)]),
        # With types, since a SELECT does not infer them from the columns.
        "values": sql.SQL(", ").join(sql.SQL(f"%s::{_type(field)}") for field in others),
        "pk": sql.Identifier(str(pk.column)),
    }
    return sql.SQL(
        "WITH written AS ({written}), companion AS"
        " (INSERT INTO {table} ({columns}) SELECT {values}, {pk}::text FROM written) SELECT {pk} FROM written"
    ).format(**parts)


def _type(field: "Field[Any, Any]") -> str:
    """Return the type of a value; not varchar, since a cast to it would truncate a text instead of refusing it."""
    return "text" if isinstance(field, CharField | TextField) else str(field.db_type(connection))
