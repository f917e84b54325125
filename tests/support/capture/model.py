"""What a history of events makes of persons, written from the facts of the protocol alone.

One event after the other, with one dictionary for each thing; no database, no overrides, no batches.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

NAMESPACE = UUID("932979b4-65c3-4424-8467-0b66ec27bc22")
LIFTED = "utm_source utm_medium gclid $browser $os $os_version $device_type $current_url $referrer $app_version".split()
#: Ids of nobody: these in any case, and those as they are.
NOBODY = "anonymous guest distinctid distinct_id id not_authenticated email undefined true false".split()
NOBODY_EXACTLY = ["[object Object]", "NaN", "None", "none", "null", "0"]


@dataclass
class Person:
    uuid: UUID
    created_at: datetime
    properties: dict[str, Any] = field(default_factory=dict)
    is_identified: bool = False
    #: Who has its events, once it is merged away.
    became: "Person | None" = None

    def now(self) -> "Person":
        return self.became.now() if self.became else self


@dataclass
class Model:
    """The persons of a project; `apply` is called for each event in the order of arrival."""

    project_id: int
    owners: dict[str, Person] = field(default_factory=dict)
    #: Those who were merged away.
    gone: list[Person] = field(default_factory=list)
    refused_merges: int = 0
    #: The distinct id of each event, and its person, if it had one.
    events: dict[UUID, tuple[str, Person | None]] = field(default_factory=dict)

    def apply(self, event: dict[str, Any]) -> None:
        uuid = UUID(event["uuid"])
        if uuid in self.events:
            return
        distinct_id = event["distinct_id"]
        if self._is_personless(event):
            self.events[uuid] = distinct_id, self.owners.get(distinct_id)
            return
        other = self._other(event)
        if other and other != distinct_id and not is_nobody(other) and not is_nobody(distinct_id):
            self._merge(distinct_id, other, event)
        person = self.owners.get(distinct_id) or self._create(distinct_id, event)
        self._set(person, event)
        self.events[uuid] = distinct_id, person

    def persons(self) -> dict[UUID, Person]:
        return {each.uuid: each for each in self.owners.values()}

    def event_owners(self) -> dict[UUID, UUID]:
        """Return the uuid of the person of each event; without a person it is the one that its id would get."""
        found = {}
        for uuid, (distinct_id, person) in self.events.items():
            owner = person.now() if person else self.owners.get(distinct_id)
            found[uuid] = owner.uuid if owner else self._uuid(distinct_id)
        return found

    def _uuid(self, distinct_id: str) -> UUID:
        return uuid5(NAMESPACE, f"{self.project_id}:{distinct_id}")

    def _is_personless(self, event: dict[str, Any]) -> bool:
        if event["properties"].get("$process_person_profile") is not False:
            return False
        person = self.owners.get(event["distinct_id"])
        return not (person and time_of(event) > person.created_at + timedelta(minutes=1))

    def _other(self, event: dict[str, Any]) -> str | None:
        places = {"$identify": "$anon_distinct_id", "$create_alias": "alias", "$merge_dangerously": "alias"}
        return event["properties"].get(places.get(event["event"]))

    def _create(self, distinct_id: str, event: dict[str, Any]) -> Person:
        person = Person(self._uuid(distinct_id), time_of(event), {"$creator_event_uuid": event["uuid"]})
        self.owners[distinct_id] = person
        return person

    def _merge(self, into_id: str, other_id: str, event: dict[str, Any]) -> None:
        into, other = self.owners.get(into_id), self.owners.get(other_id)
        if into and into is other:
            return
        if into and other:
            if other.is_identified and event["event"] != "$merge_dangerously":
                self.refused_merges += 1
                return
            into.properties = {**other.properties, **into.properties}
            into.created_at = min(into.created_at, other.created_at)
            other.became = into
            self.gone.append(other)
        person = into or other or self._create(into_id, event)
        person.is_identified = True
        gone = {other_id, into_id} | {each for each, owner in self.owners.items() if owner is other}
        self.owners |= dict.fromkeys(gone, person)

    def _set(self, person: Person, event: dict[str, Any]) -> None:
        if event["event"] in ("$exception", "$$heatmap"):
            return
        properties = event["properties"]
        if event["event"] != "$groupidentify":
            lifted = {name: properties[name] for name in LIFTED if properties.get(name) is not None}
            if properties.get("$is_server") is True:
                lifted = {name: value for name, value in lifted.items() if name not in ("$os", "$os_version")}
            initial = {"$initial_" + name.removeprefix("$"): value for name, value in lifted.items()}
            once = {**initial, **properties.get("$set_once", {}), **event.get("$set_once", {})}
            for name, value in once.items():
                if person.properties.get(name) is None:
                    person.properties[name] = value
            person.properties |= {**lifted, **properties.get("$set", {}), **event.get("$set", {})}
        for name in properties.get("$unset", []):
            person.properties.pop(name, None)


def time_of(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["timestamp"])


def is_nobody(distinct_id: str) -> bool:
    inner = re.sub(r"""^(["'])(.*)\1$""", r"\2", distinct_id)
    return not inner.strip() or inner.lower() in NOBODY or inner in NOBODY_EXACTLY
