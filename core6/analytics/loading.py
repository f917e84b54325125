"""Bulk loading of persons and events: streamed into a temporary table, then merged by set operations.

The use of memory is constant. The caller must have opened a transaction. Every statement binds the project.
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
#: After so many invalid records the rest is not looked at.
_MOST_ERRORS: Final = 100
#: For fewer rows autovacuum is soon enough.
_WORTH_MAINTENANCE: Final = 1000

_STAGE_EVENTS = """
CREATE TEMPORARY TABLE staged_event (
    uuid uuid, event varchar(400), distinct_id varchar(400), "timestamp" timestamptz, properties jsonb
)"""

# Events that are already stored create no persons. This is a join and no subquery per row, since in a cluster staged
# and stored rows are on different nodes; without the restricted uuids all events of the project would be sent.
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

# The uuids are random: inserted in order, each page of the index is written once instead of once per event.
_INSERT_EVENTS = """
INSERT INTO analytics_event (project_id, uuid, event, distinct_id, person_uuid, "timestamp", properties)
SELECT d.project_id, s.uuid, s.event, s.distinct_id, d.person_uuid, s."timestamp", s.properties
FROM staged_event s JOIN analytics_distinctid d ON d.project_id = %s AND d.distinct_id = s.distinct_id
ORDER BY s.uuid
ON CONFLICT (project_id, uuid) DO NOTHING"""


def load_persons(project_id: int, records: Records, *, now: datetime) -> None:
    """Create persons, or update those that have one of the distinct ids; raises BadRecord.

    The properties of a record replace the stored ones; absent fields are kept; further distinct ids are added. Several
    records of one person are applied in their order. A relative time is only used for new persons, so that loading the
    same file later changes nothing. `now` is an aware time in UTC.
    """
    with connection.wrap_database_errors, connection.cursor() as cursor:
        _begin(cursor, project_id)
        cursor.execute(person_merge.STAGE)
        columns = "position, uuid, distinct_ids, properties, created_at, is_relative, is_identified"
        rows = _rows(records, lambda record, position: person_row(record, position, now))
        _copy(cursor, f"COPY staged_person ({columns}) FROM STDIN", rows)
        _merge_persons(cursor, project_id)


def load_events(project_id: int, records: Records, *, now: datetime) -> None:
    """Append events with new uuids; an unknown distinct id becomes a person; raises BadRecord."""
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
    """Return the person uuids of the known distinct ids of a project."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT distinct_id, person_uuid::text FROM analytics_distinctid"
            " WHERE project_id = %s AND distinct_id = ANY(%s::text[])",
            [project_id, distinct_ids],
        )
        return dict(cursor.fetchall())


def _begin(cursor: Any, project_id: int) -> None:
    """Lock the project against concurrent loading, which could create two persons for one distinct id."""
    # For sorts and joins of millions of rows; reset at the end of the transaction.
    cursor.execute("SET LOCAL work_mem = '64MB'")
    locks.LOADING.acquire(project_id)


def _rows(records: Records, row: Callable[[Any, int], str]) -> Iterator[str]:
    """Yield the rows of the records; raises BadRecord after the last one, or once _MOST_ERRORS records are invalid."""
    bad: list[BadRecord] = []
    rest = iter(records)
    while len(bad) < _MOST_ERRORS:
        try:
            found = next(rest, None)
            if found is None:
                break
            position, record = found
            yield row(record, position)
        except BadRecord as error:
            # The reader of a file has already set the position of a line that is not a record.
            bad.append(error if error.position >= 0 else BadRecord(error.field, error.why, position))
    if bad:
        bad[0].more = bad[1:]
        raise bad[0]


def _copy(cursor: Any, statement: str, rows: Iterator[str]) -> None:
    with cursor.copy(statement) as copy:
        while block := "".join(islice(rows, _ROWS_AT_ONCE)):
            copy.write(block)


def _merge_persons(cursor: Any, project_id: int) -> None:
    if person_merge.merge(cursor, project_id) >= _WORTH_MAINTENANCE:
        _maintain(cursor, "analytics_person, analytics_distinctid")


def _maintain(cursor: Any, tables: str) -> None:
    """Update statistics now, and vacuum after the commit: until then index-only scans read every row."""
    cursor.execute(f"ANALYZE {tables}")
    transaction.on_commit(partial(_vacuum, tables), robust=True)


def _vacuum(tables: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM {tables}")
