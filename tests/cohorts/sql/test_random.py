import itertools
import os
from collections.abc import Collection, Sequence
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohorts.criteria.dates import Clock
from cohorts.criteria.parse import load
from cohorts.sql.compile import NoCriteria, compile_criteria
from cohorts.sql.fragments import Sql
from cohorts.sql.property_values import CompileError
from tests.support.cohorts.evaluator import NoConditions, Refused, evaluate
from tests.support.cohorts.populations import COHORTS, EVENTS, KEYS, NOW, Population, make_populations, store
from tests.support.sampling import IS_EVERY_CASE

#: How many trees are tried; a number of one's own tries other ones than the last time.
TREES = os.environ.get("CORE6_RANDOM_TREES", "")
POPULATIONS = make_populations(60)
# Each tree is computed for three of them.
APART = len(POPULATIONS) // 3

VALUES: list[Any] = [
    *("", " ", "5", 5, 5.0, "5.0", 0, 7, " 7 ", 10, 1e3, "1e3", 1000, -3.5, "-3.5", ".5", True, False, "true", "NaN"),
    *("a", "A", "abc", "b", "é", "É", "日", "🦔", "%", "_", "a%b", "\\", "a\\b", "\\%", "[1, 2]", '"', "'", "%s", "{}"),
    *({}, {"c": "x", "bb": 1}, [1, 2], [], ["a"], None, "2024-01-15", "20240115", "v1.2.3", "9999999999"),
]
DATES = [
    *("2024-01-15", "2024-01-15T10:30:00Z", "2024-01-15T05:00:00Z", "2024-01-15T10:30:00+05:30", "2024-02-29", "-1d"),
    *("2024-01-15 18:30:00.123457", "2026-03-14", "1d", "-0h", "24h", "-1m", "2w", "1y", "9999d", "0001-01-01"),
    "9999-12-31",
]
DATES += ["-90M", "-2q", "dStart", "-1dStart", "wStart", "-60wStart", "mStart", "-30mStart", "yStart", "-2yStart"]
# In one zone or another these are twice or never.
DATES += ["2025-11-02T01:30:00", "2026-03-08T02:30:00", "2025-10-26 02:30", "2025-03-30"]
NO_DATES = ["", "garbage", "10000d", "1s", "2024-02-30", "9999999999", "1712000000", "qStart", "-10000dStart", "10:30"]
#: Zones of projects, by turns.
ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata"]
VERSIONS = [
    *(
        "1.2.3-beta.1",
        "1.2.3",
        "v1.2.3",
        "1.2",
        "1",
        1.2,
        "1.2.3-alpha",
        "1.2.3+b",
        "0.2.3",
        "0.0.3",
        "0.0",
        "0",
        "2.0.0",
    ),
    *("2.0.0-rc.1", "999999999", "1.2.3-beta.1"),
]
NO_VERSIONS = ["*", "x", "", "1.2.3.4", "^1.2", "1.x"]
# These mean the same in Python and in Postgres.
PATTERNS = [
    "",
    "^a",
    "b$",
    "a.b",
    "[0-9]+",
    "(?i)ABC",
    "a|5",
    "\\d",
    "^$",
    "\\.",
    "é",
    "x{2}",
    "(a)(b)?",
    "\\\\",
    r"\b[a5]",
]
BETWEEN = [[1, 5], ["1", 5], [5, 5], [-5, 1e3], [" 0", "1e3"], [0, "7"], []]
NO_BETWEEN = [[5, 1], [1], [1, 2, 3], ["a", "b"], [True, 5], [None, 5], 5]
TEXT_OPERATORS = "exact is_not icontains not_icontains is_date_exact in not_in gt gte lt lte min max is_set is_not_set"
VERSION_OPERATORS = [f"semver_{each}" for each in "eq neq gt gte lt lte tilde caret".split()]
NOT_IN_LISTS = [each for each in TEXT_OPERATORS.split() if each not in ("in", "not_in")]


def conditions(operators: str | Sequence[str], one: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = operators.split() if isinstance(operators, str) else operators
    return st.fixed_dictionaries({"operator": st.sampled_from(names), "value": one})


def some(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([[], *values * 3, *([each] for each in values), *map(list, itertools.pairwise(values))])


CONDITION = st.one_of(
    conditions(NOT_IN_LISTS, some(VALUES)),
    conditions(TEXT_OPERATORS, st.lists(st.sampled_from(VALUES), max_size=3)),
    conditions("icontains not_icontains", some(["\\", "\\\\", "a\\b", "\\%", "\\_", "%", "_", "A_B", "a%B", '"'])),
    conditions("regex not_regex", some(PATTERNS)),
    conditions("is_date_before is_date_after", some(DATES)),
    conditions(VERSION_OPERATORS, some(VERSIONS)),
    conditions(["semver_wildcard"], some(["1.2.*", "1.*", "1.*.*", "0.*", "0.0.*", "1.2.3.*", "v1.*"])),
    conditions("between not_between", st.sampled_from(BETWEEN)),
)
NONSENSE = st.one_of(
    conditions("is_date_before is_date_after", some(NO_DATES)),
    conditions([*VERSION_OPERATORS, "semver_wildcard"], some(NO_VERSIONS)),
    conditions("between not_between", st.sampled_from(NO_BETWEEN)),
    conditions("bananas in not_in", st.just("5")),
)
CONDITIONS = st.sampled_from([CONDITION] * 15 + [NONSENSE]).flatmap(lambda chosen: chosen)
KEY = st.sampled_from(KEYS)
NEGATION = st.sampled_from([False] * 4 + [True])
LENGTH = st.sampled_from([1, 1, 2, 3, 7, 24, 60, 400] * 3 + [0])
INTERVAL = st.sampled_from(["minute", "hour", "day", "day", "week", "month", "year", "day"] * 4 + ["fortnight"])
COUNT = st.sampled_from([1, 1, 2, 3, 5] * 5 + [0])
PERSON = st.builds(
    lambda key, condition, negation: {"type": "person", "key": key, **condition, "negation": negation},
    *(KEY, CONDITIONS, NEGATION),
)
COHORT = st.fixed_dictionaries(
    {"type": st.just("cohort"), "key": st.just("id"), "value": st.sampled_from([*COHORTS, 99, 2**70])},
    optional={"negation": NEGATION},
)
EVENT_FILTER = st.builds(lambda key, condition: {"type": "event", "key": key, **condition}, KEY, CONDITIONS)
KINDS = """
    performed_event performed_event_multiple performed_event_first_time performed_event_sequence
    performed_event_regularly stopped_performing_event restarted_performing_event
"""
BEHAVIOR = st.fixed_dictionaries(
    {
        "type": st.just("behavioral"),
        "key": st.sampled_from(EVENTS),
        "value": st.sampled_from(KINDS.split()),
        "event_type": st.sampled_from(["events"] * 40 + ["actions"]),
        "time_value": LENGTH,
        "time_interval": INTERVAL,
        "operator": st.sampled_from([None, "gte", "lte", "gt", "lt", "eq", "exact"] * 3 + ["is_not"]),
        "operator_value": COUNT,
        "seq_event": st.sampled_from(EVENTS),
        "seq_event_type": st.just("events"),
        "seq_time_value": LENGTH,
        "seq_time_interval": INTERVAL,
        "min_periods": COUNT,
        "total_periods": st.sampled_from([5, 3, 10, 2, 1]),
    },
    optional={
        "negation": NEGATION,
        "explicit_datetime": st.sampled_from([None] * 20 + DATES * 3 + NO_DATES),
        "explicit_datetime_to": st.sampled_from([None] * 80 + DATES * 3 + NO_DATES),
        "event_filters": st.lists(EVENT_FILTER, max_size=2),
    },
)
LEAF = PERSON | COHORT | BEHAVIOR | PERSON | BEHAVIOR


def groups(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    child = st.one_of(LEAF, LEAF, groups(depth - 1)) if depth > 1 else LEAF
    size = st.sampled_from([1, 2, 2, 3, 4] if depth > 3 else [1, 2, 2, 2, 3] * 6 + [0])
    values = size.flatmap(lambda most: st.lists(child, min_size=most, max_size=most))
    return st.fixed_dictionaries({"type": st.sampled_from(["AND", "OR"]), "values": values})


def selected(statement: Sql, *, is_bound_by_server: bool) -> set[str]:
    # Web workers let the server bind the values, the job worker does not.
    with transaction.atomic():
        if is_bound_by_server:
            with connection.cursor() as cursor:
                cursor.execute(statement.text, statement.values)
                return unique(cursor.fetchall())
        with psycopg.ClientCursor(connection.connection) as cursor:
            return unique(cursor.execute(statement.text, statement.values).fetchall())


def unique(rows: Collection[tuple[Any, ...]]) -> set[str]:
    found = {str(row[0]) for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture
def _populations(db: None) -> None:
    store(POPULATIONS)


@pytest.mark.usefixtures("_populations")
@settings(
    max_examples=int(TREES or (1500 if IS_EVERY_CASE else 300)),
    derandomize=not TREES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(tree=groups(4), first=st.integers(0, APART - 1))
def test_the_statement_selects_whom_the_evaluator_finds(tree: dict[str, Any], first: int):
    for population in POPULATIONS[first::APART]:
        assert computed(tree, population) == evaluated(tree, population)


def clock_of(population: Population) -> Clock:
    place = population.project_id
    return Clock(NOW, ZONES[place % len(ZONES)], place % 2)


def evaluated(tree: dict[str, Any], population: Population) -> set[str] | str:
    try:
        return evaluate(tree, population.people, clock_of(population), population.cohorts)
    except NoConditions:
        return "no conditions"
    except Refused:
        return "refused"


def computed(tree: dict[str, Any], population: Population) -> set[str] | str:
    project_id, cohorts = population.project_id, population.cohorts
    try:
        statement = compile_criteria(
            load({"properties": tree}), project_id=project_id, clock=clock_of(population), cohorts=cohorts
        )
    except NoCriteria:
        return "no conditions"
    except CompileError:
        return "refused"
    return selected(statement, is_bound_by_server=project_id % 2 == 0)
