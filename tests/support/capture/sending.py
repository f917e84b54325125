"""Sends events as SDKs do, and reads what is stored of them."""

import base64
import gzip
import json
from typing import Any
from urllib.parse import quote
from uuid import UUID

from core6.analytics.models import DistinctId, Event, Person, PersonOverride
from projects.models import Project
from tests.conftest import Caller

ACCEPTED = {"status": 1}
FORM = "application/x-www-form-urlencoded"


def event(name: str, distinct_id: Any, properties: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"event": name, "distinct_id": distinct_id, "properties": properties or {}, **fields}


def batch(project: Project, *events: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"api_key": project.api_token, "batch": list(events), **fields}


def send(project: Project, *events: dict[str, Any], **fields: Any) -> Any:
    """Send a batch and return the response."""
    return Caller(None).post("/batch/", batch(project, *events, **fields))


def sent(project: Project, *events: dict[str, Any], **fields: Any) -> None:
    """Send a batch, which must be accepted."""
    response = send(project, *events, **fields)
    assert (response.status_code, response.json()) == (200, ACCEPTED)


def identified(distinct_id: str, anonymous: str, **fields: Any) -> dict[str, Any]:
    return event("$identify", distinct_id, {"$anon_distinct_id": anonymous}, **fields)


def merging(name: str, into: str, other: Any, **fields: Any) -> dict[str, Any]:
    """Return an event that merges an id into another, by `$identify` or an alias."""
    return event(name, into, {"$anon_distinct_id" if name == "$identify" else "alias": other}, **fields)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def as_gzip(value: Any) -> bytes:
    return gzip.compress(value if isinstance(value, bytes) else as_json(value), mtime=0)


def as_base64(value: Any) -> bytes:
    return base64.b64encode(value if isinstance(value, bytes) else as_json(value))


def as_form(data: bytes, **fields: str) -> bytes:
    return f"data={quote(data)}{''.join(f'&{name}={value}' for name, value in fields.items())}".encode()


def stored(project: Project) -> list[tuple[str, str]]:
    """Return the names and distinct ids of the events, sorted."""
    return sorted(Event.objects.filter(project_id=project.pk).values_list("event", "distinct_id"))


def the_event(project: Project) -> Event:
    """Return the one event that there is."""
    return Event.objects.get(project_id=project.pk)


def persons(project: Project) -> list[Person]:
    return list(Person.objects.filter(project_id=project.pk).order_by("created_at", "uuid"))


def owners(project: Project) -> dict[str, UUID]:
    """Return the person of each distinct id."""
    return dict(DistinctId.objects.filter(project_id=project.pk).values_list("distinct_id", "person_uuid"))


def person_of(project: Project, distinct_id: str) -> Person:
    return Person.objects.get(project_id=project.pk, uuid=owners(project)[distinct_id])


def event_owners(project: Project) -> dict[UUID, UUID]:
    """Return the person of each event, also where a merge is not written into the event yet."""
    overrides = dict(PersonOverride.objects.filter(project_id=project.pk).values_list("old_uuid", "new_uuid"))
    found = Event.objects.filter(project_id=project.pk).values_list("uuid", "person_uuid")
    return {uuid: overrides.get(owner, owner) for uuid, owner in found}
