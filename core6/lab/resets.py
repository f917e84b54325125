"""Brings the saved state back; what was replaced is removed after the response, which takes as long again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from django.core.management import CommandError
from django.db import DatabaseError, connection

from core6.backup import copies
from core6.lab.refusals import Refused


class Resets:
    """The resets of a lab, one at a time. `in_thread` runs what needs the database."""

    def __init__(self, in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self._in_thread = in_thread
        self._lock = asyncio.Lock()
        self._clearing: asyncio.Task[None] | None = None
        self._connections = ExitStack()
        self._copies: copies.Copies | None = None

    async def reset(self) -> None:
        """Bring the saved state back; raises Refused (409) if there is none."""
        async with self._lock:
            if self._clearing:
                await self._clearing
            await self._in_thread(self._reset)
            # In another thread, so that no other request waits for it.
            self._clearing = asyncio.create_task(asyncio.to_thread(self._clear))

    def _reset(self) -> None:
        try:
            with self._connected() as kept:
                kept.reset()
        except CommandError as error:
            raise Refused(f"{error}.", status=409, code="conflict") from error

    def _clear(self) -> None:
        with suppress(DatabaseError), self._connected() as kept:
            kept.clear()  # the next reset tries it again

    @contextmanager
    def _connected(self) -> Iterator[copies.Copies]:
        """Yield the copies over connections that stay open; after an error there are new ones."""
        try:
            with connection.wrap_database_errors:
                if self._copies is None:
                    name = str(connection.settings_dict["NAME"])
                    self._copies = self._connections.enter_context(copies.connected(name))
                yield self._copies
        except BaseException:
            self._copies = None
            self._connections.close()
            raise
