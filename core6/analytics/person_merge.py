"""Merges staged persons into the stored ones, which are found by their names, in the order of the records.

The names of a record are its distinct ids and its uuid. The record belongs to the stored person who has one of them, or
else to the person of the first earlier record that has one of them, or else to a new person.
"""

from typing import Any, Final

from core6.analytics.record_values import BadRecord
from core6.database import timestamps

STAGE: Final = """
CREATE TEMPORARY TABLE staged_person (
    position bigint, uuid uuid, distinct_ids jsonb, properties jsonb, created_at timestamptz,
    is_relative boolean, is_identified boolean
)"""

_STAGE_NAMES = """
CREATE TEMPORARY TABLE staged_name (position bigint, distinct_id varchar(400), uuid uuid, owner uuid, first bigint)"""

_STAGE_OWNERS = "CREATE TEMPORARY TABLE staged_owner (position bigint, first bigint, owner uuid, is_new boolean)"

_DROP = "DROP TABLE staged_person, staged_name, staged_owner"

# `owner` is the stored person with the name, `first` the first record with it.
_NAMES = """
INSERT INTO staged_name
SELECT n.position, n.distinct_id, n.uuid, coalesce(d.person_uuid, p.uuid),
    min(n.position) OVER (PARTITION BY n.distinct_id, n.uuid)
FROM (
    SELECT position, jsonb_array_elements_text(distinct_ids) AS distinct_id, NULL::uuid AS uuid FROM staged_person
    UNION ALL SELECT position, NULL, uuid FROM staged_person WHERE uuid IS NOT NULL
) n
LEFT JOIN analytics_distinctid d ON d.project_id = %s AND d.distinct_id = n.distinct_id
LEFT JOIN analytics_person p ON p.project_id = %s AND p.uuid = n.uuid"""

# The id of a new person is the given one, or a UUID version 7, made of milliseconds and the random bits of a version 4
# (which differs in one digit). Records that belong to the new person of an earlier record have no owner yet.
_OWNERS = """
INSERT INTO staged_owner
SELECT s.position, n.first, CASE WHEN n.owner IS NULL AND n.first = s.position THEN coalesce(s.uuid, encode(
        set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
        substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
        52, 1), 53, 1), 'hex')::uuid) ELSE n.owner END,
    n.owner IS NULL
FROM staged_person s JOIN (
    SELECT position, min(first) AS first, min(owner::text)::uuid AS owner FROM staged_name GROUP BY position
) n USING (position)"""

# Each round doubles the length of the chains that are followed, so that long chains take few rounds.
_FOLLOW = """
UPDATE staged_owner o SET first = f.first, owner = f.owner, is_new = f.is_new
FROM staged_owner f WHERE o.owner IS NULL AND f.position = o.first"""

_CONFLICT = """
SELECT n.position, n.distinct_id
FROM staged_name n JOIN staged_owner o USING (position) JOIN staged_owner f ON f.position = n.first
WHERE coalesce(n.uuid, n.owner, f.owner) <> o.owner
ORDER BY n.position, n.distinct_id NULLS FIRST LIMIT 1"""

_INSERT = """
INSERT INTO analytics_person (project_id, uuid, properties, is_identified, created_at)
SELECT %s, o.owner, coalesce(s.properties, '{}'), coalesce(s.is_identified, false), coalesce(s.created_at, %s)
FROM staged_person s JOIN staged_owner o USING (position) WHERE o.is_new AND o.first = o.position"""

# The last record with a field wins.
_UPDATE = """
UPDATE analytics_person p SET properties = n.properties, is_identified = n.is_identified, created_at = n.created_at
FROM (
    SELECT q.uuid, coalesce(g.properties, q.properties) AS properties,
        coalesce(g.is_identified, q.is_identified) AS is_identified, coalesce(g.created_at, q.created_at) AS created_at
    FROM (
        SELECT o.owner,
            (array_agg(s.properties ORDER BY s.position DESC) FILTER (WHERE s.properties IS NOT NULL))[1] AS properties,
            (array_agg(s.is_identified ORDER BY s.position DESC)
                FILTER (WHERE s.is_identified IS NOT NULL))[1] AS is_identified,
            (array_agg(s.created_at ORDER BY s.position DESC)
                FILTER (WHERE s.created_at IS NOT NULL AND (o.is_new OR NOT s.is_relative)))[1] AS created_at
        FROM staged_person s JOIN staged_owner o USING (position)
        WHERE NOT o.is_new OR o.first <> o.position GROUP BY o.owner
    ) g JOIN analytics_person q ON q.project_id = %s AND q.uuid = g.owner
) n
WHERE p.project_id = %s AND p.uuid = n.uuid AND (p.properties, p.is_identified, p.created_at)
    IS DISTINCT FROM (n.properties, n.is_identified, n.created_at)"""

_INSERT_NAMES = """
INSERT INTO analytics_distinctid (project_id, distinct_id, person_uuid)
SELECT DISTINCT %s::bigint, n.distinct_id, o.owner FROM staged_name n JOIN staged_owner o USING (position)
WHERE n.distinct_id IS NOT NULL AND n.owner IS NULL AND n.first = n.position"""


def merge(cursor: Any, project_id: int) -> int:
    """Merge and drop the table `staged_person`, which STAGE creates; return the number of changed rows.

    Raises BadRecord for a record whose names belong to two persons, or whose uuid is not that of its person.
    """
    _find_owners(cursor, project_id)
    changed = 0
    for statement, parameters in (
        (_INSERT, [project_id, timestamps.now()]),
        (_UPDATE, [project_id, project_id]),
        (_INSERT_NAMES, [project_id]),
    ):
        cursor.execute(statement, parameters)
        changed += cursor.rowcount
    cursor.execute(_DROP)
    return changed


def _find_owners(cursor: Any, project_id: int) -> None:
    # Without this the planner does not know the size of a temporary table.
    cursor.execute("ANALYZE staged_person")
    cursor.execute(_STAGE_NAMES)
    cursor.execute(_NAMES, [project_id, project_id])
    cursor.execute("ANALYZE staged_name")
    cursor.execute(_STAGE_OWNERS)
    cursor.execute(_OWNERS)
    cursor.execute("ANALYZE staged_owner")
    cursor.execute(_FOLLOW)
    while cursor.rowcount:
        cursor.execute(_FOLLOW)
    cursor.execute(_CONFLICT)
    if found := cursor.fetchone():
        position, name = found
        if name is None:
            raise BadRecord("uuid", "the person of these distinct ids has another uuid", position)
        raise BadRecord("distinct_ids", f"{name[:40]!r} belongs to another person than the names beside it", position)
