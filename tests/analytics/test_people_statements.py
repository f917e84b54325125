"""Statements of commands and jobs on the people tables keep to one project, too; the exceptions are listed here."""

import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core6.diagnosis import doctor, integrity
from core6.provisioning import provision as provisioning
from core6.provisioning import world
from projects.models import Project
from tests.conftest import Caller, Cast
from tests.support.cohorts.people import person, work
from tests.support.cohorts.routing import NUMBER, REFERENCE, TABLES, statements, unbound

#: Of `verify`: they read from every node.
OF_ALL_PROJECTS = {
    "cohort_counts",
    "cohort_members_persons",
    "cohort_members_cohorts",
    "distinct_ids",
    "people_of_gone_projects",
    "person_overrides",
}
PEOPLE: list[dict[str, Any]] = [
    {"distinct_ids": ["p1", "alice"], "properties": {"plan": "pro"}},
    {"distinct_ids": ["p2", "p1"]},
]
EVENTS = [{"distinct_id": name, "event": "visit", "timestamp": "2026-01-02T00:00:00Z"} for name in ("p1", "unknown")]


@pytest.fixture
def numbered(cast: Cast) -> Project:
    return Project.objects.create(pk=NUMBER, organization=cast.acme, name="Numbered")


def provision(**given: Any) -> None:
    project = {"name": "Numbered", **given}
    provisioning.provision(world.read(json.dumps({"organizations": [{"name": "Acme", "projects": [project]}]})))


def test_provisioning_keeps_to_one_project(numbered: Project, queries: CaptureQueriesContext):
    # So many that the tables are analyzed at once.
    persons = [*PEOPLE, *({"distinct_ids": [f"many {number}"]} for number in range(1000))]
    events = [*EVENTS, *({**EVENTS[0], "distinct_id": f"many {number}"} for number in range(1000))]
    with queries:
        for _ in range(2):
            provision(persons=persons, events=events)
    sent = statements(queries)
    assert {sql: unbound(sql) for sql in sent if unbound(sql)} == {}
    # Citus passes it on to every shard.
    others = {sql for sql in sent if not REFERENCE.search(sql)}
    assert others == {"ANALYZE analytics_person, analytics_distinctid", "ANALYZE analytics_event"}


def test_a_project_and_its_people_are_deleted_by_its_number(
    numbered: Project, cast: Cast, queries: CaptureQueriesContext
):
    person(numbered, "p1")
    alice = cast.caller(cast.alice)
    with queries:
        assert alice.delete(f"/api/projects/{NUMBER}/").status_code == 204
        assert work() == 1
    sent = statements(queries)
    deleted = [sql for sql in sent if sql.startswith("DELETE")]
    assert {table for sql in deleted for table in re.findall(TABLES, sql)} == set(TABLES.split("|"))
    assert {sql: unbound(sql) for sql in sent if unbound(sql)} == {}


def test_verify_reads_all_projects_with_a_few_checks_that_have_a_name(db: None):
    found = set()
    for check in integrity.CHECKS:
        with CaptureQueriesContext(connection) as queries:
            check.run()
        if statements(queries):
            found.add(check.name)
    assert found == OF_ALL_PROJECTS


def test_no_check_has_a_subquery_for_each_row_of_people(db: None):
    """Only the coordinator has the small tables: EXISTS of one of them, with a value of the row, is impossible."""
    offenders = [each.offenders for each in integrity.CHECKS if each.name in OF_ALL_PROJECTS]
    assert [sql for sql in offenders if "EXISTS" in str(sql)] == []


def test_doctor_looks_at_no_people(cast: Cast, queries: CaptureQueriesContext):
    with queries:
        doctor.findings()
    assert len(queries) > 10
    # The catalog knows how many rows there are, on this node.
    assert [
        sql for sql in statements(queries) if "FROM pg_class" not in str(sql) and "JOIN pg_class" not in str(sql)
    ] == []


def test_api_calls_of_other_things_do_not_touch_people(alice: Caller, cast: Cast, queries: CaptureQueriesContext):
    with queries:
        assert alice.get(f"/api/projects/{cast.web.pk}/").status_code == 200
        assert alice.get(f"/api/projects/{cast.web.pk}/annotations/").status_code == 200
    assert statements(queries) == []
