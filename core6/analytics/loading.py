"""Loads persons and events by the million: streamed into a temporary table, merged from there set by set.

Memory stays flat, whatever is loaded; the caller has a transaction open. Every statement binds the project.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Final

from django.db import connection, transaction

from core6.analytics import person_merge
from core6.analytics.record_values import BadRecord
from core6.analytics.records import event_row, person_row
from core6.database import locks

#: Records with their positions, from 0.
Records = Iterable[tuple[int, Any]]

_ROWS_AT_ONCE: Final = 500
#: Below this the database's own maintenance is soon enough.
_WORTH_MAINTENANCE: Final = 1000

_STAGE_EVENTS = """
CREATE TEMPORARY TABLE staged_event (
    uuid uuid, event varchar(400), distinct_id varchar(400), "timestamp" timestamptz, properties jsonb
)"""

# Events that are stored already create nobody. No question about each row, since a cluster has what is staged and what
# is stored on different nodes; and it is told which events to look for, else it would bring every one of the project.
_STAGE_UNKNOWN = """
INSERT INTO staged_person (position, distinct_ids, created_at)
SELECT row_number() OVER (), jsonb_build_array(s.distinct_id), min(s."timestamp")
FROM staged_event s
LEFT JOIN analytics_distinctid d ON d.project_id = %s AND d.distinct_id = s.distinct_id
LEFT JOIN (
    SELECT e.uuid FROM analytics_event e WHERE e.project_id = %s AND e.uuid IN (SELECT uuid FROM staged_event)
) t ON t.uuid = s.uuid
WHERE d.distinct_id IS NULL AND t.uuid IS NULL
GROUP BY s.distinct_id"""

# The ids are hashes: stored in their order, each page of the index is written once and not once for every event.
_INSERT_EVENTS = """
INSERT INTO analytics_event (project_id, uuid, event, distinct_id, person_uuid, "timestamp", properties)
SELECT d.project_id, s.uuid, s.event, s.distinct_id, d.person_uuid, s."timestamp", s.properties
FROM staged_event s JOIN analytics_distinctid d ON d.project_id = %s AND d.distinct_id = s.distinct_id
ORDER BY s.uuid
ON CONFLICT (project_id, uuid) DO NOTHING"""


def load_persons(project_id: int, records: Records, *, now: datetime) -> None:
    """Create persons, or update those whom a distinct id names; raises BadRecord.

    A record's properties replace the stored ones; what it leaves out stays; further distinct ids are added. Records
    that name the same person count in their order. A relative time is the creation of a new person only, so that the
    same file changes nothing tomorrow. `now` is an aware time in UTC.
    """
    with connection.wrap_database_errors, connection.cursor() as cursor:
        _begin(cursor, project_id)
        cursor.execute(person_merge.STAGE)
        columns = "position, uuid, distinct_ids, properties, created_at, is_relative, is_identified"
        rows = _rows(records, lambda record, position: person_row(record, position, now))
        _copy(cursor, f"COPY staged_person ({columns}) FROM STDIN", rows)
        _merge_persons(cursor, project_id)


def load_events(project_id: int, records: Records, *, now: datetime) -> None:
    """Append the events that are not there yet, by uuid; an unknown distinct id becomes a person; raises BadRecord."""
    with connection.wrap_database_errors, connection.cursor() as cursor:
        _begin(cursor, project_id)
        cursor.execute(_STAGE_EVENTS)
        rows = _rows(records, lambda record, position: event_row(record, position, project_id, now))
        _copy(cursor, "COPY staged_event FROM STDIN", rows)
        cursor.execute("ANALYZE staged_event")
        cursor.execute(person_merge.STAGE)
        cursor.execute(_STAGE_UNKNOWN, [project_id, project_id])
        _merge_persons(cursor, project_id)
        cursor.execute(_INSERT_EVENTS, [project_id])
        if cursor.rowcount >= _WORTH_MAINTENANCE:
            _maintain(cursor, "analytics_event")
        cursor.execute("DROP TABLE staged_event")


def owners(project_id: int, distinct_ids: list[str]) -> dict[str, str]:
    """Return the uuid of the person of each distinct id that the project knows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT distinct_id, person_uuid::text FROM analytics_distinctid"
            " WHERE project_id = %s AND distinct_id = ANY(%s::text[])",
            [project_id, distinct_ids],
        )
        return dict(cursor.fetchall())


def _begin(cursor: Any, project_id: int) -> None:
    """Let others wait who load into this project: two could each make a person for one name."""
    # Sorts and joins of millions; until the end of the transaction.
    cursor.execute("SET LOCAL work_mem = '64MB'")
    locks.LOADING.acquire(project_id)


def _rows(records: Records, row: Callable[[Any, int], str]) -> Iterator[str]:
    position = -1
    try:
        for position, record in records:
            yield row(record, position)
    except BadRecord as error:
        # Who reads a file knows where a line is that is no record at all.
        raise BadRecord(error.field, error.why, position if error.position < 0 else error.position) from error


def _copy(cursor: Any, statement: str, rows: Iterator[str]) -> None:
    with cursor.copy(statement) as copy:
        while block := "".join(islice(rows, _ROWS_AT_ONCE)):
            copy.write(block)


def _merge_persons(cursor: Any, project_id: int) -> None:
    if person_merge.merge(cursor, project_id) >= _WORTH_MAINTENANCE:
        _maintain(cursor, "analytics_person, analytics_distinctid")


def _maintain(cursor: Any, tables: str) -> None:
    """Count anew at once, and make indexes answer alone after the commit: they ask each row until a vacuum."""
    cursor.execute(f"ANALYZE {tables}")
    transaction.on_commit(partial(_vacuum, tables), robust=True)


def _vacuum(tables: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM {tables}")
