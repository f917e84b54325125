"""Every statement on the people tables, of requests and of jobs, keeps to one project: it can be routed by it."""

import re
from collections.abc import Iterator

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from cohorts.calculation.refresh import refresh_cohorts
from cohorts.calculation.run import request_calculation
from cohorts.models import Cohort
from core6.analytics import loading
from core6.analytics.models import Person
from projects.models import Project
from tests.conftest import Caller, Cast
from tests.support.cohorts.people import NOW, all_of, any_of, did, leaf, person, work
from tests.support.cohorts.routing import NUMBER, REFERENCE, TABLES, statements, unbound

EVENTS = {"type": "behavioral", "key": "$pageview", "event_type": "events", "time_value": 30, "time_interval": "day"}


@pytest.mark.parametrize(
    ("sql", "loose"),
    [
        (f"SELECT 1 FROM analytics_person p WHERE p.project_id = {NUMBER}", []),
        ("SELECT 1 FROM analytics_person p WHERE p.uuid = 'x'", ["p"]),
        (f'SELECT 1 FROM "analytics_event" WHERE "analytics_event"."project_id" = {NUMBER}', []),
        ('SELECT 1 FROM "analytics_event" WHERE "analytics_event"."event" = 1', ["analytics_event"]),
        (f"DELETE FROM cohorts_cohortmember WHERE project_id = {NUMBER} AND cohort_id = 1", []),
        ("DELETE FROM cohorts_cohortmember WHERE cohort_id = 1", ["cohorts_cohortmember"]),
        (f"SELECT 1 FROM analytics_person p JOIN analytics_event e ON true WHERE p.project_id = {NUMBER}", ["e"]),
        (f"INSERT INTO cohorts_cohortmember (project_id, cohort_id) SELECT {NUMBER}, 1", []),
        ("INSERT INTO cohorts_cohortmember (cohort_id) SELECT 1", ["cohorts_cohortmember"]),
        (
            (
                "INSERT INTO analytics_event (project_id, uuid) SELECT d.project_id, s.uuid FROM staged_event s"
                f" JOIN analytics_distinctid d ON d.project_id = {NUMBER}"
            ),
            [],
        ),
        (
            "INSERT INTO analytics_event (project_id, uuid) SELECT s.project_id, s.uuid FROM staged_event s",
            ["analytics_event"],
        ),
    ],
)
def test_what_is_not_bound_is_noticed(sql: str, loose: list[str]):
    assert unbound(sql) == loose


def test_every_statement_keeps_to_one_project(cast: Cast, alice: Caller, queries: CaptureQueriesContext):
    project = Project.objects.create(pk=NUMBER, organization=cast.acme, name="Numbered")
    people = [person(project, f"d{i}", email=f"p{i}@example.com", n=i) for i in range(3)]
    did(people[0], "$pageview", NOW)
    cohorts = f"/api/projects/{project.pk}/cohorts/"
    ids = [str(each.uuid) for each in people]
    with queries:
        static = alice.post(cohorts, {"is_static": True, "_create_static_person_ids": ids[:2]}).json()["id"]
        for filters in (
            all_of(leaf("n", "gt", 0), {"type": "cohort", "key": "id", "value": static}),
            any_of({**EVENTS, "value": "performed_event"}, leaf("email", "icontains", "p")),
            all_of(
                {**EVENTS, "value": "performed_event_multiple", "operator_value": 1},
                {
                    **EVENTS,
                    "value": "performed_event_sequence",
                    "seq_event": "x",
                    "seq_event_type": "events",
                    "seq_time_value": 1,
                    "seq_time_interval": "day",
                },
            ),
        ):
            made = alice.post(cohorts, {"filters": filters})
            assert made.status_code == 201, made.json()
        assert work() == 3
        one = f"{cohorts}{made.json()['id']}/"
        two = f"{cohorts}{static}/"
        answers = [
            alice.get(cohorts),
            alice.get(one),
            alice.get(f"{one}persons/"),
            alice.get(f"{two}persons/", search="p1", limit=1),
            alice.get(f"{two}persons/", email="p1@example.com"),
            alice.get(f"{two}persons/", distinct_id="d1"),
            alice.patch(f"{two}add_persons_to_static_cohort/", {"person_ids": ids}),
            alice.patch(f"{two}remove_person_from_static_cohort/", {"person_id": ids[0]}),
            alice.get(f"{one}calculation_history/"),
            alice.patch(one, {"filters": all_of(leaf("n", "exact", 2))}),
            alice.patch(one, {"deleted": True}),
            alice.patch(one, {"deleted": False}),
            alice.post(cohorts, {"is_static": True, "query": {"kind": "ActorsQuery", "properties": []}}),
        ]
        work()
        refresh_cohorts()
        work()
    assert [answer.status_code for answer in answers if answer.status_code >= 400] == []
    sent = statements(queries)
    assert {table for sql in sent for table in re.findall(TABLES, sql)} == set(TABLES.split("|"))
    assert {sql: unbound(sql) for sql in sent if unbound(sql)} == {}
    assert [sql for sql in sent if not REFERENCE.search(sql)] == []


def in_transactions(sent: list[str]) -> Iterator[list[str]]:
    """Yield the statements of each transaction."""
    found: list[str] = []
    for sql in sent:
        if sql.split()[0] in ("BEGIN", "COMMIT"):
            yield found
            found = []
        else:
            found.append(sql)
    yield found


def test_what_changes_people_is_committed_with_the_rest(transactional_db: None, cast: Cast, alice: Caller):
    """Citus commits in two phases what passes through the coordinator; else a worker alone would be first."""
    person(cast.web, "d1")
    uuid = str(Person.objects.get().uuid)
    path = f"/api/projects/{cast.web.pk}/cohorts/"
    static = alice.post(path, {"is_static": True, "_create_static_person_ids": [uuid]}).json()["id"]
    paying = alice.post(path, {"filters": all_of(leaf("n", "gt", 0))}).json()["id"]
    work()
    Cohort.objects.filter(pk=paying).update(filters=None)
    with CaptureQueriesContext(connection) as queries:
        alice.patch(f"{path}{static}/remove_person_from_static_cohort/", {"person_id": uuid})
        request_calculation(Cohort.objects.get(pk=paying))
        work()
        with transaction.atomic():
            loading.load_persons(cast.web.pk, enumerate([{"distinct_ids": ["d1"], "properties": {"n": 1}}]), now=NOW)
    changes = re.compile(rf"(DELETE FROM|UPDATE|INSERT INTO) ({TABLES})")
    through_the_coordinator = re.compile(
        rf"INSERT INTO ({TABLES}) .* FROM (change|staged_\w+|django_migrations) ", re.DOTALL
    )
    found = [
        statements
        for statements in in_transactions([each["sql"].strip() for each in queries.captured_queries])
        if any(changes.match(sql) for sql in statements)
    ]
    assert len(found) >= 3
    assert [each for each in found if not any(through_the_coordinator.match(sql) for sql in each)] == []


def test_a_csv_names_persons_of_one_project_only(cast: Cast, alice: Caller, queries: CaptureQueriesContext):
    project = Project.objects.create(pk=NUMBER, organization=cast.acme, name="Numbered")
    person(project, "d1", email="p1@example.com")
    elsewhere = person(cast.app, "d1", email="p1@example.com")
    with queries:
        for column, value in (("distinct_id", "d1"), ("email", "p1@example.com"), ("person_id", str(elsewhere.uuid))):
            file = SimpleUploadedFile("people.csv", f"{column}\n{value}\n".encode(), "text/csv")
            form = {"is_static": "true", "csv": file}
            made = alice.client.post(f"/api/projects/{project.pk}/cohorts/", form)
            assert made.status_code == 201, made.json()
        work()
    sent = statements(queries)
    assert sent
    assert {sql: unbound(sql) for sql in sent if unbound(sql)} == {}
    assert Person.objects.filter(project_id=cast.app.pk).count() == 1
