"""A thread pool for an event loop, with a bounded queue."""

import asyncio
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final

from core6.serving.limits import PATIENCE_SECONDS

#: The loop checks at least this often for calls that have ended.
_REPORT_SECONDS: Final = 0.05


class Overloaded(Exception):
    """All threads are busy, and the queue is full, or this call has waited for too long."""


class _Call:
    """One call, which either a thread starts or the loop cancels."""

    __slots__ = ("_claim", "ended", "work")

    def __init__(self, work: Callable[[], None], ended: "asyncio.Future[None]") -> None:
        self.work: Callable[[], None] | None = work
        self.ended = ended
        self._claim = Lock()

    def claim(self) -> bool:
        """Return True for the first caller, False for all others."""
        return self._claim.acquire(blocking=False)


class Threads:
    """A pool of `count` threads, and a queue of at most `most_waiting` calls."""

    def __init__(self, loop: asyncio.AbstractEventLoop, count: int, most_waiting: int) -> None:
        self._loop, self._count, self._most_waiting = loop, count, most_waiting
        self._queue: SimpleQueue[_Call] = SimpleQueue()
        self._pending = 0
        self._ended: deque[_Call] = deque()
        self._is_report_due = False
        for number in range(count):
            Thread(target=self._work, name=f"request-{number}", daemon=True).start()

    async def run(self, work: Callable[[], None]) -> None:
        """Run `work`, which must raise nothing, in a thread, and wait for its end. Raises Overloaded."""
        self._report()
        if self._pending >= self._count + self._most_waiting:
            raise Overloaded
        if not self._is_report_due:
            self._is_report_due = True
            self._loop.call_later(_REPORT_SECONDS, self._report_in_turn)
        call = _Call(work, self._loop.create_future())
        self._pending += 1
        self._queue.put(call)
        if self._pending <= self._count:
            await call.ended
            return
        timer = self._loop.call_later(PATIENCE_SECONDS, self._give_up, call)
        try:
            await call.ended
        finally:
            timer.cancel()

    def _give_up(self, call: _Call) -> None:
        if call.claim():
            call.work = None  # it stays in the queue until a thread takes it
            self._pending -= 1
            call.ended.set_exception(Overloaded())

    def _work(self) -> None:
        while True:
            call = self._queue.get()
            if call.claim() and call.work:
                call.work()
                # The loop polls for this, since waking it would cost as much as a short call.
                self._ended.append(call)

    def _report(self) -> None:
        while self._ended:
            call = self._ended.popleft()
            self._pending -= 1
            if not call.ended.done():
                call.ended.set_result(None)

    def _report_in_turn(self) -> None:
        self._report()
        self._is_report_due = self._pending > 0
        if self._is_report_due:
            self._loop.call_later(_REPORT_SECONDS, self._report_in_turn)
