"""Keeps a process from a server that does not answer: every request would wait for it anew."""

import time
from typing import Final

#: Seconds that a server is left alone; each time that it does not answer then, twice as long.
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 60.0


class Breaker:
    """Remembers until when a server is left alone."""

    def __init__(self) -> None:
        self.close()

    def close(self) -> None:
        """Forget what was: it answers."""
        self._until, self._pause = 0.0, FIRST_PAUSE

    def open(self) -> float:
        """Leave the server alone; return for how many seconds."""
        pause = self._pause
        self._until, self._pause = time.monotonic() + pause, min(2 * pause, LONGEST_PAUSE)
        return pause

    @property
    def is_open(self) -> bool:
        """Return whether the server is to be left alone now."""
        return time.monotonic() < self._until
