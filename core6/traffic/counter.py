"""Counts responses in the memory of a web process, and adds them to the table every few seconds.

A request pays for one `append`. What was counted in the last seconds of a killed process is lost.
"""

import logging
import time
from collections import deque
from typing import Final

from core6.traffic.models import Counts, add

logger = logging.getLogger(__name__)
#: Seconds between two writes.
PERIOD: Final = 10.0
#: The most minutes that are kept while the database is away.
_MOST_MINUTES: Final = 60


class Counter:
    """The responses of one process that are not in the table yet."""

    def __init__(self) -> None:
        self._statuses: deque[int] = deque()
        self._minutes: dict[int, Counts] = {}

    def count(self, status: int) -> None:
        """Count a response; any thread may call this."""
        self._statuses.append(status)

    @property
    def is_empty(self) -> bool:
        return not (self._statuses or self._minutes)

    def write(self) -> None:
        """Add the counts to the table; keep them for the next time if the database does not take them."""
        self._collect()
        try:
            add(self._minutes)
        except Exception as error:  # it would end the thread
            logger.info("The counts of responses were not stored: %s", type(error).__name__)
        else:
            self._minutes.clear()

    def _collect(self) -> None:
        """Count the statuses since the last call for the current minute."""
        statuses = [self._statuses.popleft() for _ in range(len(self._statuses))]
        minute = int(time.time() // 60)
        before = self._minutes.pop(minute, Counts(0, 0, 0))
        self._minutes[minute] = Counts(
            before.responses + len(statuses),
            before.refused + sum(400 <= status < 500 for status in statuses),
            before.failed + sum(status >= 500 for status in statuses),
        )
        for oldest in list(self._minutes)[:-_MOST_MINUTES]:
            del self._minutes[oldest]
