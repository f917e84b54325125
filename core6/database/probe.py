"""Questions to the database beside the request that waits for them: a frozen database must not hold the answer."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from django.db import Error, connection

T = TypeVar("T")


class Aside(Generic[T]):
    """Asks one question, in a thread and by a connection of its own, and waits for so many seconds.

    A caller who comes while the question is under way waits for the same answer.
    """

    def __init__(self, look: Callable[[], T], *, seconds: float, name: str) -> None:
        self._look, self._seconds = look, seconds
        self._asker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._asked: Future[T] | None = None

    def ask(self) -> T | None:
        """Return what `look` returns; None when the database does not answer in time, or refuses."""
        asked = self._start()
        wait([asked], self._seconds)
        return _result(asked)

    async def ask_from_loop(self) -> T | None:
        """Return the same to an event loop, which goes on meanwhile."""
        asked = self._start()
        await asyncio.wait([asyncio.wrap_future(asked)], timeout=self._seconds)
        return _result(asked)

    def _start(self) -> Future[T]:
        if self._asked is None or self._asked.done():
            self._asked = self._asker.submit(self._ask)
        return self._asked

    def _ask(self) -> T:
        try:
            return self._look()
        finally:
            connection.close()


def _result(asked: Future[T]) -> T | None:
    if not asked.done() or isinstance(asked.exception(), Error):
        return None
    return asked.result()
