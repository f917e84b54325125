"""The number of calls of each personal API key in the current windows of time (D16)."""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from django.db import connection, models


class Window(models.Model):
    """A key's current window of one length; the table is unlogged, since its counts may be lost in a crash."""

    api_key = models.CharField(max_length=50)
    seconds = models.PositiveIntegerField()
    started = models.DateTimeField()
    calls = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["api_key", "seconds"], name="one_window_of_each_length")
        ]


class Use(NamedTuple):
    """A window after a call: its length, its limit, the number of calls, and the seconds until it ends."""

    seconds: int
    limit: int
    calls: int
    resets_in: int

    @property
    def is_exceeded(self) -> bool:
        return self.calls > self.limit

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.calls)


# One statement, which locks the row while it counts, so that concurrent calls get different numbers. A call that waited
# for the lock may have the time of an earlier window than the row's, and is counted in the row's.
_COUNT = """
INSERT INTO rate_limits_window AS w (api_key, seconds, started, calls)
SELECT %s, s, to_timestamp(floor(extract(epoch FROM clock_timestamp()) / s) * s), %s
FROM unnest(%s::int[]) s ORDER BY s
ON CONFLICT (api_key, seconds) DO UPDATE SET
    calls = CASE WHEN w.started >= excluded.started THEN w.calls + excluded.calls ELSE excluded.calls END,
    started = greatest(w.started, excluded.started)
RETURNING seconds, calls, ceil(extract(epoch FROM w.started) + seconds - extract(epoch FROM clock_timestamp()))::int
"""


def count_call(api_key: str, limits: Mapping[int, int], *, calls: int = 1) -> list[Use]:
    """Count a call of a key, or several; return its windows, the shortest first. `limits` are calls by seconds.

    The windows are fixed, by the clock of the database. Not for use in a transaction, which would block other calls.
    """
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [api_key, calls, list(limits)])
        rows = cursor.fetchall()
    return sorted(Use(seconds, limits[seconds], all_calls, max(1, resets_in)) for seconds, all_calls, resets_in in rows)
