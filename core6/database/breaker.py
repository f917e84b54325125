"""A circuit breaker for a server that does not respond, so that not every request waits for it."""

import time
from typing import Final

#: Seconds that the breaker stays open, doubled each time that the server fails again.
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 60.0


class Breaker:
    """A circuit breaker: while it is open, the server must not be used."""

    def __init__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the breaker, since the server responds."""
        self._until, self._pause = 0.0, FIRST_PAUSE

    def open(self) -> float:
        """Open the breaker; return for how many seconds."""
        pause = self._pause
        self._until, self._pause = time.monotonic() + pause, min(2 * pause, LONGEST_PAUSE)
        return pause

    @property
    def is_open(self) -> bool:
        """Return whether the breaker is open now."""
        return time.monotonic() < self._until
