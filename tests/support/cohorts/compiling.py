"""People by name, and which of them meet criteria by the compiled statement."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from cohorts.criteria.dates import Clock
from cohorts.criteria.parse import load
from cohorts.sql.compile import compile_criteria
from cohorts.sql.fragments import Sql
from cohorts.sql.property_values import CompileError
from tests.support.cohorts.evaluator import Event, Person
from tests.support.cohorts.populations import NOW, Population, store

PROJECT = 987654321
MISSING: Any = ...
CLOCK = Clock(NOW)
DAY = timedelta(days=1)


def uuid_of(name: str) -> str:
    """Return a uuid that a name of at most 16 characters can be read from."""
    return str(uuid.UUID(bytes=name.encode().ljust(16)))


def people(
    *names: str,
    project_id: int = PROJECT,
    properties: Mapping[str, Mapping[str, Any]] | None = None,
    events: Mapping[str, Sequence[Event]] | None = None,
    cohorts: Mapping[int, Collection[str]] | None = None,
) -> None:
    """Store people of these names and of those that have done anything."""
    properties, events, cohorts = properties or {}, events or {}, cohorts or {}
    made = [
        Person(uuid_of(name), properties.get(name, {}), events.get(name, ()))
        for name in dict.fromkeys([*names, *properties, *events])
    ]
    members = {number: {uuid_of(name) for name in found} for number, found in cohorts.items()}
    store([Population(project_id, made, members)])


def statement(
    *nodes: dict[str, Any],
    kind: str = "AND",
    cohorts: Collection[int] = (),
    clock: Clock = CLOCK,
    project: int = PROJECT,
) -> Sql:
    criteria = load({"properties": {"type": kind, "values": list(nodes)}})
    return compile_criteria(criteria, project_id=project, clock=clock, cohorts=cohorts)


def found(*nodes: dict[str, Any], **options: Any) -> set[str]:
    """Return the names of those who meet the nodes."""
    sql = statement(*nodes, **options)
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.values)
        return {row[0].bytes.decode().strip() for row in cursor.fetchall()}


def refused(*nodes: dict[str, Any], **options: Any) -> str:
    with pytest.raises(CompileError) as caught:
        statement(*nodes, **options)
    return str(caught.value)


def prop(operator: str | None, value: Any = None, key: str = "a", **more: Any) -> dict[str, Any]:
    return {"type": "person", "key": key, "operator": operator, "value": value, **more}


def assert_meets(operator: str | None, value: Any, *, yes: Sequence[Any], no: Sequence[Any] = ()) -> None:
    """Assert that a condition holds for those with the one values of the property, and not with the others."""
    values = [*yes, *no]
    people(properties={f"{i}": {} if have is MISSING else {"a": have} for i, have in enumerate(values)})
    met = [values[int(name)] for name in sorted(found(prop(operator, value)), key=int)]
    assert [repr(each) for each in met] == [repr(each) for each in yes]


def behavior(kind: str = "performed_event", **more: Any) -> dict[str, Any]:
    leaf = {"type": "behavioral", "key": "e", "value": kind, "event_type": "events"}
    return {**leaf, "time_value": 10, "time_interval": "day", **more}


def ago(*lengths: timedelta | float, name: str = "e", **properties: Any) -> list[Event]:
    """Return events so long ago, in days unless another unit is given."""
    spans = [each if isinstance(each, timedelta) else each * DAY for each in lengths]
    return [Event(name, NOW - each, properties) for each in spans]
