"""Responses of the API by minute: what the console draws. Kept for a day."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from django.db import connection, models


class Minute(models.Model):
    """The responses of all web processes in one minute."""

    started_at = models.DateTimeField(primary_key=True)
    responses = models.PositiveBigIntegerField()
    #: Of these: with a status from 400 to 499, and from 500.
    refused = models.PositiveBigIntegerField()
    failed = models.PositiveBigIntegerField()


class Counts(NamedTuple):
    """Responses, those with a status from 400 to 499, and those with a status from 500."""

    responses: int
    refused: int
    failed: int


_ADD: Final = """
INSERT INTO traffic_minute AS m (started_at, responses, refused, failed)
SELECT to_timestamp(minute * 60), responses, refused, failed
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) AS new (minute, responses, refused, failed)
ORDER BY minute
ON CONFLICT (started_at) DO UPDATE SET responses = m.responses + excluded.responses,
    refused = m.refused + excluded.refused, failed = m.failed + excluded.failed"""


def add(counts: Mapping[int, Counts]) -> None:
    """Add counts to their minutes, which are given as minutes since 1970."""
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [list(counts), *(list(column) for column in zip(*counts.values(), strict=True))])
