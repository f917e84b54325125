"""What events do to persons: creation, properties, and merges (E5 to E7). The database is not used.

The events of a request are applied one after the other to a `Population`, which holds the persons whom they concern.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from core6.capture import lifted
from core6.capture.envelope import Incoming, as_distinct_id

_NAMESPACE: Final = UUID("932979b4-65c3-4424-8467-0b66ec27bc22")
#: A personless event that is so much later than its person updates it.
_FORCED_AFTER: Final = timedelta(minutes=1)
_LONGEST_ID: Final = 400
#: Ids that clients send by mistake: merging them would join strangers.
_ILLEGAL_FOLDED: Final = frozenset(
    "anonymous guest distinctid distinct_id id not_authenticated email undefined true false".split()
)
_ILLEGAL: Final = frozenset(("[object Object]", "NaN", "None", "none", "null", "0"))
_QUOTED: Final = re.compile(r"""(["'])(.*)\1""", re.DOTALL)
_NO_PROPERTIES: Final = frozenset(("$exception", "$$heatmap"))


def uuid_of(project_id: int, distinct_id: str) -> UUID:
    """Return the uuid of the person who is created for a distinct id."""
    return uuid5(_NAMESPACE, f"{project_id}:{distinct_id}")


def is_illegal(distinct_id: str) -> bool:
    """Return whether a distinct id is one that must not be merged."""
    if quoted := _QUOTED.fullmatch(distinct_id):
        return is_illegal(quoted[2])
    return (
        not distinct_id.strip()
        or distinct_id.casefold() in _ILLEGAL_FOLDED
        or distinct_id in _ILLEGAL
        or "\0" in distinct_id
        or len(distinct_id) > _LONGEST_ID
    )


def ids_of(event: Incoming) -> list[str]:
    """Return the distinct ids that an event concerns: its own, and the one that it merges."""
    other = _merged_id(event)
    return [event.distinct_id] if other is None else [event.distinct_id, other]


@dataclass
class Person:
    """A person, as stored or as it will be."""

    uuid: UUID
    properties: dict[str, Any]
    is_identified: bool
    created_at: datetime
    is_new: bool = False
    is_changed: bool = False


@dataclass
class Population:
    """The persons whom the events of a request concern, by their uuids, and the owners of their distinct ids.

    Afterwards `moved_ids` are the distinct ids that are new or have another owner, and `merged` are the persons whose
    events belong to others, in the order of the merges; the persons of `merged` that were stored are gone.
    """

    project_id: int
    persons: dict[UUID, Person]
    owners: dict[str, UUID]
    moved_ids: set[str] = field(default_factory=set)
    merged: dict[UUID, UUID] = field(default_factory=dict)
    gone: set[UUID] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)

    def apply(self, event: Incoming, event_uuid: UUID) -> UUID:
        """Apply an event; return the uuid of the person whom it belongs to."""
        if not self._is_processed(event):
            known = self.owners.get(event.distinct_id)
            return known or uuid_of(self.project_id, event.distinct_id)
        other = _merged_id(event)
        if other is not None:
            self._merge(other, event, event_uuid)
        self._update(event, event_uuid)
        return self.owners[event.distinct_id]

    def _is_processed(self, event: Incoming) -> bool:
        """Return whether an event creates or updates a person."""
        if event.properties.get("$process_person_profile") is not False:
            return True
        owner = self.owners.get(event.distinct_id)
        return owner is not None and event.timestamp > self.persons[owner].created_at + _FORCED_AFTER

    def _merge(self, other: str, event: Incoming, event_uuid: UUID) -> None:
        """Merge the person of `other` into the person of the event's distinct id."""
        into = event.distinct_id
        if into == other:
            return
        if is_illegal(into) or is_illegal(other):
            bad = into if is_illegal(into) else other
            self.warnings.append(f"The distinct id {bad[:50]!r} is not merged: it is not one of a person.")
            return
        ours, theirs = self.owners.get(into), self.owners.get(other)
        if ours is None and theirs is None:
            ours = self._create(event, event_uuid).uuid
            self._give(other, ours)
        elif ours is None and theirs is not None:
            self._give(into, theirs)
            ours = theirs
        elif ours is not None and theirs is None:
            self._give(other, ours)
        elif ours == theirs:
            return
        elif ours is not None and theirs is not None:
            if self.persons[theirs].is_identified and event.event != "$merge_dangerously":
                self.warnings.append(f"The person of {other[:50]!r} is identified already, and is not merged.")
                return
            self._join(self.persons[theirs], self.persons[ours])
        person = self.persons[self.owners[into]]
        person.is_changed |= not person.is_identified
        person.is_identified = True

    def _join(self, gone: Person, into: Person) -> None:
        """Give a person's properties, distinct ids and events to another."""
        into.properties = {**gone.properties, **into.properties}
        into.created_at = min(gone.created_at, into.created_at)
        into.is_changed = True
        for distinct_id in [each for each, owner in self.owners.items() if owner == gone.uuid]:
            self.owners[distinct_id] = into.uuid
            self.moved_ids.add(distinct_id)
        for old, new in self.merged.items():
            if new == gone.uuid:
                self.merged[old] = into.uuid
        self.merged[gone.uuid] = into.uuid
        self.gone.add(gone.uuid)
        del self.persons[gone.uuid]

    def _give(self, distinct_id: str, owner: UUID) -> None:
        """Add an unknown distinct id to a person, and the personless events that it may have."""
        self.owners[distinct_id] = owner
        self.moved_ids.add(distinct_id)
        former = uuid_of(self.project_id, distinct_id)
        # A stored person with that uuid owns the events itself.
        if former != owner and former not in self.persons and former not in self.gone:
            self.merged[former] = owner

    def _create(self, event: Incoming, event_uuid: UUID) -> Person:
        wanted = uuid_of(self.project_id, event.distinct_id)
        # Somebody else may have it, after a split.
        uuid = wanted if wanted not in self.persons else uuid5(event_uuid, event.distinct_id)
        person = Person(uuid, {"$creator_event_uuid": str(event_uuid)}, False, event.timestamp, is_new=True)
        self.merged.pop(uuid, None)
        self.persons[uuid] = person
        self.owners[event.distinct_id] = uuid
        self.moved_ids.add(event.distinct_id)
        return person

    def _update(self, event: Incoming, event_uuid: UUID) -> None:
        owner = self.owners.get(event.distinct_id)
        person = self.persons[owner] if owner else self._create(event, event_uuid)
        if event.event in _NO_PROPERTIES:
            return
        sets, once = lifted.properties_of(event)
        before = dict(person.properties)
        for name, value in once.items():
            if person.properties.get(name) is None:
                person.properties[name] = value
        person.properties |= sets
        for name in _unset(event):
            person.properties.pop(name, None)
        person.is_changed |= person.properties != before


def _merged_id(event: Incoming) -> str | None:
    """Return the distinct id that an event merges into its own; None if it merges none."""
    if event.event == "$identify":
        value = event.properties.get("$anon_distinct_id")
    elif event.event in ("$create_alias", "$merge_dangerously"):
        value = event.properties.get("alias")
    else:
        return None
    return as_distinct_id(value) if value else None


def _unset(event: Incoming) -> Iterable[str]:
    """Return the names of `$unset`, which is a list, or an object by its keys."""
    names = event.properties.get("$unset")
    return [each for each in names if isinstance(each, str)] if isinstance(names, list | dict) else ()
