"""Any criteria select the same merged people as the evaluator, while merges are not written into the events (E13)."""

from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohorts.criteria.parse import load
from cohorts.sql.compile import NoCriteria, compile_criteria
from cohorts.sql.property_values import CompileError
from core6.analytics.models import Event, PersonOverride
from tests.cohorts.sql.test_random import clock_of, evaluated, groups
from tests.support.cohorts.populations import Population, make_populations, store
from tests.support.sampling import IS_EVERY_CASE

POPULATIONS = make_populations(12)


def divide(populations: list[Population]) -> None:
    """Give a half of everybody's events to one who was merged into them, and some to one whom nobody knows."""
    with connection.cursor() as cursor:
        for population in populations:
            twins = [(UUID(each.id), UUID(int=UUID(each.id).int + 2**64)) for each in population.people]
            cursor.executemany(
                "UPDATE analytics_event SET person_uuid = %s WHERE project_id = %s AND person_uuid = %s"
                " AND hashtext(uuid::text) %% 2 = 0",
                [(twin, population.project_id, uuid) for uuid, twin in twins],
            )
            PersonOverride.objects.bulk_create(
                PersonOverride(project_id=population.project_id, old_uuid=twin, new_uuid=uuid) for uuid, twin in twins
            )
    strangers = [Event(project_id=each.project_id, event="buy", person_uuid=UUID(int=2**100)) for each in populations]
    Event.objects.bulk_create(strangers)


@pytest.fixture
def _merged_populations(db: None) -> None:
    store(POPULATIONS)
    divide(POPULATIONS)


def selected(tree: dict[str, Any], population: Population) -> set[str] | str:
    try:
        sql = compile_criteria(
            load({"properties": tree}),
            project_id=population.project_id,
            clock=clock_of(population),
            cohorts=population.cohorts,
            has_overrides=True,
        )
    except NoCriteria:
        return "no conditions"
    except CompileError:
        return "refused"
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.values)
        rows = [str(uuid) for (uuid,) in cursor.fetchall()]
    assert len(set(rows)) == len(rows)
    return set(rows)


@pytest.mark.usefixtures("_merged_populations")
@settings(
    max_examples=1000 if IS_EVERY_CASE else 60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(tree=groups(3), number=st.integers(0, len(POPULATIONS) - 1))
def test_any_criteria_select_whom_the_evaluator_finds_among_merged_people(tree: dict[str, Any], number: int):
    assert selected(tree, POPULATIONS[number]) == evaluated(tree, POPULATIONS[number])
