"""Rows stored by statements that are made once for a model: Django would make each anew, which costs more than it."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Field, Model
from psycopg import sql


def insert(instance: Model) -> None:
    """Store a new row; like `save`, but without signals and without looking whether it is there already."""
    text, fields, is_keyed_here = _insertion(type(instance))
    with connection.cursor() as cursor:
        cursor.execute(text, [_value(field, instance, is_new=True) for field in fields])
        if is_keyed_here:
            (instance.pk,) = cursor.fetchone()
    instance._state.adding, instance._state.db = False, connection.alias


def update(instance: Model, names: Sequence[str]) -> None:
    """Write the named fields of a row that is there; with none it is left alone."""
    if not names:
        return
    text, fields = _change(type(instance), tuple(names))
    with connection.cursor() as cursor:
        cursor.execute(text, [*(_value(field, instance, is_new=False) for field in fields), instance.pk])


def _value(field: "Field[Any, Any]", instance: Model, *, is_new: bool) -> Any:
    return field.get_db_prep_save(field.pre_save(instance, is_new), connection)


@cache
def _insertion(model: type[Model]) -> tuple[str, list[Any], bool]:
    meta: Any = model._meta
    is_keyed_here = bool(meta.pk.db_returning)
    fields = [field for field in meta.concrete_fields if not (field is meta.pk and is_keyed_here)]
    columns = sql.SQL(", ").join(sql.Identifier(field.column) for field in fields)
    values = sql.SQL(", ").join(sql.Placeholder() * len(fields))
    text = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(meta.db_table), columns, values)
    if is_keyed_here:
        text += sql.SQL(" RETURNING {}").format(sql.Identifier(meta.pk.column))
    return text.as_string(None), fields, is_keyed_here


@cache
def _change(model: type[Model], names: tuple[str, ...]) -> tuple[str, list[Any]]:
    meta: Any = model._meta
    fields = [meta.get_field(name) for name in names]
    pairs = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(field.column)) for field in fields)
    place = sql.Identifier(meta.db_table), pairs, sql.Identifier(meta.pk.column)
    return sql.SQL("UPDATE {} SET {} WHERE {} = %s").format(*place).as_string(None), fields
