"""Questions to the database beside the request that waits for them: a frozen database must not hold the answer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from django.db import Error, connection

T = TypeVar("T")


class Aside(Generic[T]):
    """Asks one question, in a thread and by a connection of its own, and waits for so many seconds."""

    def __init__(self, look: Callable[[], T], *, seconds: float, name: str) -> None:
        self._look, self._seconds = look, seconds
        self._asker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    def ask(self) -> T | None:
        """Return what `look` returns; None when the database does not answer in time, or refuses."""
        asked = self._asker.submit(self._ask)
        try:
            return asked.result(self._seconds)
        except (TimeoutError, Error):
            asked.cancel()  # behind one that is stuck it would only be the next
            return None

    def _ask(self) -> T:
        try:
            return self._look()
        finally:
            connection.close()
