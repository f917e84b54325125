"""The database refuses, waits and throws out while clients write."""

import time
from contextlib import ExitStack, suppress

import psycopg

from tests.suites.chaos.invariants import Allowed
from tests.suites.chaos.stage import Stage
from tests.support.serving import wait_until

_OTHERS = "backend_type = 'client backend' AND pid <> pg_backend_pid()"
_THROW_OUT = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {_OTHERS}"
_WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' HAVING count(*) >= 2"


def test_connections_are_thrown_out(scene: Stage):
    with scene.survive("connections thrown out at random", Allowed(doubtful_503=True)), scene.connect() as connection:
        connection.autocommit = True
        for _ in range(50):
            connection.execute(f"{_THROW_OUT} ORDER BY random() LIMIT 1".encode())
            time.sleep(0.1)


def test_every_web_thread_is_busy(scene: Stage):
    with scene.survive("every web thread busy") as crowd, scene.connect() as holder, scene.connect() as asking:
        asking.autocommit = True
        holder.execute("LOCK TABLE annotations_annotation")
        wait_until(lambda: asking.execute(_WAITING).fetchone(), "requests that wait")
        before = len(crowd.prober.calls)
        time.sleep(3)
        assert len(crowd.prober.calls) > before
        holder.rollback()


def test_statements_are_slow(scene: Stage):
    """A request that waits for a lock is refused after 5 s; with eight clients on two threads none waits for long."""
    with scene.survive("a lock held for 20 s") as crowd:
        with scene.connect() as holder:
            holder.execute("LOCK TABLE annotations_annotation")
            time.sleep(20)
            holder.rollback()
        refused = [call for call in crowd.calls if call.status == 503]
        assert refused
        assert min(call.seconds for call in refused) > 4
        assert max(call.seconds for call in crowd.calls) < 30


def test_no_connection_is_left(scene: Stage):
    with scene.survive("no connection left", Allowed(doubtful_503=True)) as crowd, ExitStack() as stack:
        fill_up(scene, stack)
        began = time.monotonic()
        wait_until(lambda: [call for call in list(crowd.calls) if call.status == 503 and call.began > began], "refusal")
        time.sleep(2)
        assert max(call.seconds for call in list(crowd.calls) if call.began > began) < 5


def fill_up(scene: Stage, stack: ExitStack) -> None:
    """Take every connection that there is, those of the server too."""
    deadline, mine = time.monotonic() + 20, []
    while True:
        with suppress(psycopg.OperationalError):
            while True:
                mine.append(stack.enter_context(scene.connect()))
                mine[-1].autocommit = True
                mine[-1].execute("SET application_name = 'chaos'")
        if not mine[0].execute(f"{_THROW_OUT} AND application_name <> 'chaos'".encode()).fetchall():
            return
        assert time.monotonic() < deadline
