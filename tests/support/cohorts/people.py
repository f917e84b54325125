"""People of the tests' projects, and the job worker's work done at once."""

import json
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from procrastinate.contrib.django import app

from core6.analytics.models import DistinctId, Event, Person
from projects.models import Project
from tests.conftest import Caller

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def person(project: Project, *distinct_ids: str, **properties: Any) -> Person:
    made = Person.objects.create(project_id=project.pk, properties=properties)
    for distinct_id in distinct_ids:
        DistinctId.objects.create(project_id=project.pk, distinct_id=distinct_id, person_uuid=made.uuid)
    return made


def did(who: Person, event: str, at: datetime, **properties: Any) -> None:
    Event.objects.create(
        project_id=who.project_id,
        event=event,
        distinct_id="x",
        person_uuid=who.uuid,
        timestamp=at,
        properties=properties,
    )


def waiting() -> list[tuple[str, dict[str, Any]]]:
    """Return the jobs in the queue, in their order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_name, args::text FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id")
        return [(name, json.loads(arguments)) for name, arguments in cursor.fetchall()]


def work() -> int:
    """Do what is in the queue, one job after the other, in this transaction; return how many there were."""
    done = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM procrastinate_jobs WHERE id = (SELECT id FROM procrastinate_jobs"
                " WHERE status = 'todo' ORDER BY priority DESC, id LIMIT 1) RETURNING task_name, args::text"
            )
            found = cursor.fetchone()
        if found is None:
            return done
        app.tasks[found[0]].func(**json.loads(found[1]))
        done += 1


def leaf(key: str, operator: str = "exact", value: Any = None, **more: Any) -> dict[str, Any]:
    found = {"type": "person", "key": key, "operator": operator, **more}
    return found if value is None else {**found, "value": value}


def all_of(*values: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {"type": "AND", "values": list(values)}}


def any_of(*values: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {"type": "OR", "values": list(values)}}


def members(caller: Caller, cohort: dict[str, Any], project: Project) -> set[str]:
    """Return the names of the members, over the API."""
    response = caller.get(f"/api/projects/{project.pk}/cohorts/{cohort['id']}/persons/", limit=1000)
    assert response.status_code == 200, response.json()
    return {row["properties"].get("name", row["uuid"]) for row in response.json()["results"]}
