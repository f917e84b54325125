"""Queries that run beside the request that waits for them, so that a frozen database cannot block it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from django.db import Error, connection

T = TypeVar("T")


class Probe(Generic[T]):
    """Runs a query in its own thread with its own connection, and waits at most `seconds` for the result.

    A caller that comes while a query is running waits for the same result.
    """

    def __init__(self, query: Callable[[], T], *, seconds: float, name: str) -> None:
        self._query, self._seconds = query, seconds
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._running: Future[T] | None = None

    def result(self) -> T | None:
        """Return what `query` returns; None if the database does not respond in time, or fails."""
        running = self._start()
        wait([running], self._seconds)
        return _result(running)

    async def result_from_loop(self) -> T | None:
        """Return the same without blocking the event loop."""
        running = self._start()
        await asyncio.wait([asyncio.wrap_future(running)], timeout=self._seconds)
        return _result(running)

    def _start(self) -> Future[T]:
        if self._running is None or self._running.done():
            self._running = self._executor.submit(self._run)
        return self._running

    def _run(self) -> T:
        try:
            return self._query()
        finally:
            connection.close()


def _result(running: Future[T]) -> T | None:
    if not running.done() or isinstance(running.exception(), Error):
        return None
    return running.result()
