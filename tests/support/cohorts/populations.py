"""Random people of many small projects, full of edge values, and the same people for the evaluator."""

import json
import random
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from tests.support.cohorts.evaluator import Event, Person

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
KEYS = ["a", "b", "b.c", "%s'\"", "é"]
EVENTS = ["$pageview", "buy", "a'b%s"]
COHORTS = [1, 2]
#: As JSON, since to Python 1e3 and 1000.0 are the same; None is a property that is missing.
POOL: list[str | None] = [
    *(None, None, "null", "true", "false", '"true"', "0", "-0", "-0.0", "5", '"5"', "5.0", '"5.0"', "7", '" 7 "', "10"),
    *(
        "1e3",
        '"1e3"',
        "1000",
        "1e200",
        "-3.5",
        '"-3.5"',
        '"+5"',
        '".5"',
        '"5."',
        '"0x10"',
        '"NaN"',
        '"1_0"',
        '"\u0665"',
    ),
    *('""', '" "', '"a"', '"A"', '"abc"', '"aBc d"', '"a\\nb"', '"é"', '"É"', '"日本"', '"🦔"', '"%"', '"_"', '"a%b"'),
    *('"\\\\"', '"a\\\\b"', '"a\\"b"', "[]", "[1, 2]", '["a"]', "{}", '{"bb": 1, "c": "x"}', "[null]", '"[1, 2]"'),
    *('"2024-01-15"', '"2024-01-15T10:30:00Z"', '"2024-01-15T10:30:00+05:30"', '"2024-01-15 10:30"', '"2024-02-30"'),
    *('"2024-02-29"', '"2023-02-29"', '"2024-13-01"', '"2024-01-15T25:00:00"', '"2024-01-15T10:30:00.123456789-0800"'),
    *('"2026-03-14"', '"2026-03-15T11:59:59.999999Z"', '"2026-03-15T12:00:00Z"', '"2027-01-01"', '"0000-01-01"'),
    *('"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59.999-14:00"', '"January 15, 2024"', "20240115"),
    *('"1.2.3"', '"v1.2.3"', '"1.2"', '"1"', "1.2", '"1.2.3-alpha"', '"1.2.3+b-5"', '"1.10.0"', '"0.2.3"', '"0.0.3"'),
    *("1712000000", '"1712000000"', "1712000000000", '"171200000000"', "99999999999", '"12345678"', "12345678901234"),
    *(
        '"2025-11-02T01:30:00"',
        '"2025-11-02 01:30-04:00"',
        '"2026-03-08T02:30"',
        '"2025-10-26T02:30:00"',
        '"2026-03-15"',
    ),
    *('"2.0.0-rc.1"', '"1.2.3.4"', '"1.2.x"', '"999999999.1.1"', '"9999999999"', '"2.0.0"', '"1.3.0-"'),
]
SECONDS = [0, 1, 59, 60, 61, 3600, 7200, 86399, 86400, 86401, 2 * 86400, 3 * 86400, 7 * 86400, 30 * 86400, 400 * 86400]


@dataclass(frozen=True)
class Population:
    project_id: int
    people: Sequence[Person]
    cohorts: dict[int, set[str]]


def make_populations(count: int) -> list[Population]:
    return [_population(project_id, random.Random(project_id)) for project_id in range(1, count + 1)]


def _population(project_id: int, chance: random.Random) -> Population:
    # The same persons, cohorts and names of events are in every project.
    people = [
        Person(
            str(uuid.UUID(int=number)),
            _properties(chance, KEYS),
            [_event(chance) for _ in range(chance.choice([0, 1, 2, 5, 12, 40]))],
        )
        for number in range(chance.randint(8, 20))
    ]
    cohorts = {each: {person.id for person in people if chance.random() < 0.4} for each in COHORTS}
    return Population(project_id, people, cohorts)


def _properties(chance: random.Random, keys: Iterable[str]) -> dict[str, Any]:
    drawn = {key: chance.choice(POOL) for key in keys}
    return {key: json.loads(value, parse_float=Decimal) for key, value in drawn.items() if value is not None}


def _event(chance: random.Random) -> Event:
    ago = timedelta(seconds=chance.choice(SECONDS) * chance.choice([1, 1, 2, -1]), microseconds=chance.randint(-1, 1))
    if chance.random() < 0.3:
        ago += timedelta(minutes=chance.randint(0, 7 * 24 * 60))
    return Event(chance.choice(EVENTS), NOW - ago, _properties(chance, chance.sample(KEYS, 2)))


def as_json(value: Any) -> str:
    """Return JSON in which numbers have the digits that they were read with."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {as_json(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def store(populations: Iterable[Population]) -> None:
    persons, events, members = [], [], []
    for population in populations:
        project_id = population.project_id
        for person in population.people:
            persons.append((project_id, person.id, as_json(person.properties), False, NOW))
            for event in person.events:
                properties = as_json(event.properties)
                events.append((project_id, uuid.uuid4(), event.name, "x", person.id, event.at, properties))
        members += [(project_id, each, who) for each, found in population.cohorts.items() for who in found]
    _copy("analytics_person (project_id, uuid, properties, is_identified, created_at)", persons)
    columns = "project_id, uuid, event, distinct_id, person_uuid, timestamp, properties"
    _copy(f"analytics_event ({columns})", events)
    _copy("cohorts_cohortmember (project_id, cohort_id, person_uuid)", members)


def _copy(table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
