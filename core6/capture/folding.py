"""Writes the merges of persons into their events (E13)."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from django.db import connection, transaction

_SLICES: Final = 16
_PAIRS: Final = "SELECT old_uuid, new_uuid FROM analytics_personoverride WHERE project_id = %s"
_FOLD: Final = """
UPDATE analytics_event e SET person_uuid = o.new_uuid FROM analytics_personoverride o
WHERE e.project_id = %s AND o.project_id = %s AND e.person_uuid = o.old_uuid AND e.uuid BETWEEN %s AND %s"""
_FORGET: Final = """
DELETE FROM analytics_personoverride o USING unnest(%s::uuid[], %s::uuid[]) AS p (old, new)
WHERE o.project_id = %s AND o.old_uuid = p.old AND o.new_uuid = p.new"""


def fold(project_id: int) -> None:
    """Give the events of merged persons to their new persons, in several transactions, and forget the overrides.

    An override that changes meanwhile stays until the next time.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, [project_id])
        pairs = cursor.fetchall()
        if not pairs:
            return
        for first, last in _slices():
            with transaction.atomic():
                cursor.execute(_FOLD, [project_id, project_id, first, last])
        cursor.execute(_FORGET, [[old for old, _ in pairs], [new for _, new in pairs], project_id])


def _slices() -> Iterator[tuple[UUID, UUID]]:
    """Yield the first and the last uuid of each slice of all uuids."""
    size = 2**128 // _SLICES
    for number in range(_SLICES):
        yield UUID(int=number * size), UUID(int=(number + 1) * size - 1)
