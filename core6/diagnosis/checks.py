"""A check of stored data."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import connection

from core6.diagnosis.findings import Finding

EXAMPLES: Final = 5
#: Seconds until another worker has taken over the jobs of a dead one.
TAKEN_OVER_SECONDS: Final = 30
IDLE_SECONDS: Final = 60
MOST_REVISIONS: Final = 1000
MOST_ANSWER_HOURS: Final = 25
_COUNTED = "SELECT count(*) OVER (), example FROM ({}) AS offenders (example) ORDER BY example LIMIT %(examples)s"


@dataclass(frozen=True)
class Check:
    """One rule: its name, what is wrong where it is broken, and how offenders are found.

    A warning is no damage, but the operator should know it.
    """

    name: str
    wrong: str
    offenders: str | Callable[[], Iterator[str]]
    is_warning: bool = False

    def run(self) -> Finding:
        """Look for offenders in the caller's transaction."""
        if not isinstance(self.offenders, str):
            found = list(self.offenders())
            return self._finding(len(found), found[:EXAMPLES])
        limits = {
            "examples": EXAMPLES,
            "dead_seconds": settings.DEAD_WORKER_SECONDS + TAKEN_OVER_SECONDS,
            "idle_seconds": IDLE_SECONDS,
            "most_revisions": MOST_REVISIONS,
            "most_hours": MOST_ANSWER_HOURS,
        }
        with connection.cursor() as cursor:
            cursor.execute(_COUNTED.format(self.offenders), limits)
            rows = cursor.fetchall()
        return self._finding(rows[0][0] if rows else 0, [row[1] for row in rows])

    def _finding(self, count: int, examples: list[str]) -> Finding:
        if not count:
            return Finding(self.name, "ok", "none")
        return Finding(self.name, "warning" if self.is_warning else "bad", self.wrong, count=count, examples=examples)
