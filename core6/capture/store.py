"""Stores the events of a request, and what they do to persons, in one transaction and a fixed number of statements."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import OperationalError, connection, transaction

from core6.accounts.ids import uuid7
from core6.capture.envelope import Incoming
from core6.capture.people import Person, Population, ids_of, uuid_of
from core6.database import locks

#: How often a request begins anew since another one merged its persons meanwhile, or after a deadlock.
_MOST_ATTEMPTS: Final = 10
_DEADLOCK: Final = "40P01"
#: Distinct ids share so many locks of a project: a lock for each would fill the memory of Postgres.
_LOCKS: Final = 256
_LOCK: Final = """
SELECT pg_advisory_xact_lock(k) FROM (
    SELECT DISTINCT hashtextextended('core6.capture.' || (hashtextextended(i, 0) & %s), %s) AS k
    FROM unnest(%s::text[]) AS i ORDER BY k
) AS keys"""
_STORED_EVENTS: Final = "SELECT uuid FROM analytics_event WHERE project_id = %s AND uuid = ANY(%s::uuid[])"
_OWNERS: Final = """
SELECT distinct_id, person_uuid FROM analytics_distinctid WHERE project_id = %s AND distinct_id = ANY(%s::text[])"""
_PERSONS: Final = """
SELECT uuid, properties, is_identified, created_at FROM analytics_person
WHERE project_id = %s AND uuid = ANY(%s::uuid[]) ORDER BY uuid FOR UPDATE"""
_DELETE_PERSONS: Final = "DELETE FROM analytics_person WHERE project_id = %s AND uuid = ANY(%s::uuid[])"
_SAVE_PERSONS: Final = """
INSERT INTO analytics_person (project_id, uuid, properties, is_identified, created_at)
SELECT %s, n.* FROM unnest(%s::uuid[], %s::jsonb[], %s::boolean[], %s::timestamptz[]) AS n
ON CONFLICT (project_id, uuid) DO UPDATE SET properties = excluded.properties,
    is_identified = excluded.is_identified, created_at = excluded.created_at"""
_MOVE_IDS: Final = """
UPDATE analytics_distinctid d SET person_uuid = m.new FROM unnest(%s::uuid[], %s::uuid[]) AS m (old, new)
WHERE d.project_id = %s AND d.person_uuid = m.old"""
_SAVE_IDS: Final = """
INSERT INTO analytics_distinctid (project_id, distinct_id, person_uuid)
SELECT %s, n.* FROM unnest(%s::text[], %s::uuid[]) AS n
ON CONFLICT (project_id, distinct_id) DO UPDATE SET person_uuid = excluded.person_uuid"""
_JOIN_COHORTS: Final = """
INSERT INTO cohorts_cohortmember (project_id, cohort_id, person_uuid)
SELECT DISTINCT c.project_id, c.cohort_id, m.new
FROM cohorts_cohortmember c JOIN unnest(%s::uuid[], %s::uuid[]) AS m (old, new) ON m.old = c.person_uuid
WHERE c.project_id = %s ON CONFLICT DO NOTHING"""
_LEAVE_COHORTS: Final = """
DELETE FROM cohorts_cohortmember WHERE project_id = %s AND person_uuid = ANY(%s::uuid[])"""
#: In one order, and before the members are changed: a concurrent change of members is counted before, or after.
_LOCK_COHORTS: Final = """
SELECT id FROM cohorts_cohort WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE"""
_COHORTS: Final = """
SELECT DISTINCT cohort_id FROM cohorts_cohortmember WHERE project_id = %s AND person_uuid = ANY(%s::uuid[])"""
_COUNT_COHORTS: Final = """
UPDATE cohorts_cohort c SET count = n.count FROM (
    SELECT k.id, count(m.person_uuid) AS count FROM unnest(%s::bigint[]) AS k (id)
    LEFT JOIN cohorts_cohortmember m ON m.project_id = %s AND m.cohort_id = k.id GROUP BY k.id
) AS n WHERE c.project_id = %s AND c.id = n.id AND c.count IS DISTINCT FROM n.count AND c.count IS NOT NULL"""
_FOLLOW_OVERRIDES: Final = """
UPDATE analytics_personoverride o SET new_uuid = m.new FROM unnest(%s::uuid[], %s::uuid[]) AS m (old, new)
WHERE o.project_id = %s AND o.new_uuid = m.old"""
_SAVE_OVERRIDES: Final = """
INSERT INTO analytics_personoverride (project_id, old_uuid, new_uuid)
SELECT %s, m.* FROM unnest(%s::uuid[], %s::uuid[]) AS m
ON CONFLICT (project_id, old_uuid) DO UPDATE SET new_uuid = excluded.new_uuid"""
_DROP_OVERRIDES: Final = """
DELETE FROM analytics_personoverride WHERE project_id = %s AND old_uuid = ANY(%s::uuid[])"""
_SAVE_EVENTS: Final = """
INSERT INTO analytics_event (project_id, uuid, event, distinct_id, person_uuid, "timestamp", properties)
SELECT %s, n.* FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::uuid[], %s::timestamptz[], %s::jsonb[]) AS n
ON CONFLICT (project_id, uuid) DO NOTHING"""


class Moved(Exception):
    """Another request changed the owners of the distinct ids between two statements."""


@dataclass(frozen=True)
class Stored:
    """What a request changed: new events, whether persons were merged, and warnings about refused merges."""

    events: int
    has_merged: bool
    warnings: list[str]


def store(project_id: int, events: list[Incoming], *, on_merge: Callable[[], None]) -> Stored:
    """Store the events of a request; those that are stored already change nothing (E4).

    `on_merge` is called in the transaction if persons are merged. Raises Moved after ten attempts.
    """
    named = [(event.uuid or uuid7(), event) for event in events]
    for attempt in range(_MOST_ATTEMPTS):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                stored = _store(cursor, project_id, named)
                if stored.has_merged:
                    on_merge()
                return stored
        except (Moved, OperationalError) as error:
            if attempt == _MOST_ATTEMPTS - 1 or not _is_passing(error):
                raise
    raise Moved


def _is_passing(error: Exception) -> bool:
    """Return whether the same request may succeed if it begins anew."""
    return isinstance(error, Moved) or getattr(error.__cause__, "sqlstate", None) == _DEADLOCK


def _store(cursor: Any, project_id: int, events: list[tuple[UUID, Incoming]]) -> Stored:
    locks.LOADING.acquire_shared(project_id)
    ids = sorted({each for _, event in events for each in ids_of(event)})
    cursor.execute(_LOCK, [_LOCKS - 1, project_id, ids])
    fresh = _without_known(cursor, project_id, events)
    population = _population(cursor, project_id, ids)
    owners = [population.apply(event, uuid) for uuid, event in fresh]
    _save_persons(cursor, project_id, population)
    cursor.execute(
        _SAVE_EVENTS,
        [
            project_id,
            [uuid for uuid, _ in fresh],
            [event.event for _, event in fresh],
            [event.distinct_id for _, event in fresh],
            [population.merged.get(owner, owner) for owner in owners],
            [event.timestamp for _, event in fresh],
            [json.dumps(event.properties) for _, event in fresh],
        ],
    )
    return Stored(cursor.rowcount, bool(population.merged), population.warnings)


def _without_known(cursor: Any, project_id: int, events: list[tuple[UUID, Incoming]]) -> list[tuple[UUID, Incoming]]:
    """Return the events that are not stored yet, each uuid once."""
    cursor.execute(_STORED_EVENTS, [project_id, [uuid for uuid, event in events if event.uuid]])
    known = {uuid for (uuid,) in cursor.fetchall()}
    # Of two events with one uuid the first counts, as in two requests.
    first = dict(reversed(events))
    return [(uuid, event) for uuid, event in events if uuid not in known and first[uuid] is event]


def _population(cursor: Any, project_id: int, ids: list[str]) -> Population:
    """Return the persons of the distinct ids, locked until the end of the transaction; raises Moved."""
    cursor.execute(_OWNERS, [project_id, ids])
    owners = dict(cursor.fetchall())
    # Also those whose uuid a new person would get.
    uuids = {*owners.values(), *(uuid_of(project_id, each) for each in ids)}
    cursor.execute(_PERSONS, [project_id, sorted(uuids)])
    persons = {row[0]: Person(row[0], _loaded(row[1]), *row[2:]) for row in cursor.fetchall()}
    cursor.execute(_OWNERS, [project_id, ids])
    if dict(cursor.fetchall()) != owners or not persons.keys() >= set(owners.values()):
        raise Moved
    return Population(project_id, persons, owners)


def _loaded(properties: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(properties) if isinstance(properties, str) else properties
    return found


def _save_persons(cursor: Any, project_id: int, population: Population) -> None:
    gone = population.gone
    if population.merged:
        _merge(cursor, project_id, population)
    changed = [person for person in population.persons.values() if person.is_new or person.is_changed]
    if changed:
        columns = zip(
            *((each.uuid, json.dumps(each.properties), each.is_identified, each.created_at) for each in changed),
            strict=True,
        )
        cursor.execute(_SAVE_PERSONS, [project_id, *map(list, columns)])
    new = [person.uuid for person in changed if person.is_new]
    if new:
        cursor.execute(_DROP_OVERRIDES, [project_id, new])
    if gone:
        cursor.execute(_DELETE_PERSONS, [project_id, list(gone)])
    moved = {each: population.owners[each] for each in population.moved_ids}
    if moved:
        cursor.execute(_SAVE_IDS, [project_id, list(moved), list(moved.values())])


def _merge(cursor: Any, project_id: int, population: Population) -> None:
    """Give what belongs to merged persons to others: events by overrides, distinct ids, and cohorts."""
    pairs = _columns(population.merged.items())
    cursor.execute(_FOLLOW_OVERRIDES, [*pairs, project_id])
    cursor.execute(_SAVE_OVERRIDES, [project_id, *pairs])
    if not population.gone:
        return
    pairs = _columns((old, population.merged[old]) for old in population.gone)
    cursor.execute(_MOVE_IDS, [*pairs, project_id])
    cursor.execute(_COHORTS, [project_id, list(population.gone)])
    cohorts = [key for (key,) in cursor.fetchall()]
    if cohorts:
        cursor.execute(_LOCK_COHORTS, [cohorts])
        cursor.execute(_JOIN_COHORTS, [*pairs, project_id])
        cursor.execute(_LEAVE_COHORTS, [project_id, list(population.gone)])
        cursor.execute(_COUNT_COHORTS, [cohorts, project_id, project_id])


def _columns(pairs: Iterable[tuple[UUID, UUID]]) -> tuple[list[UUID], list[UUID]]:
    listed = list(pairs)
    return [old for old, _ in listed], [new for _, new in listed]
