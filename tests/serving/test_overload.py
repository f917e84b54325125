"""Every thread waits for the database: health, refusals and the queue's end do not."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from core6.serving.limits import MOST_WAITING, PATIENCE_SECONDS
from tests.support.places import ask, connect
from tests.support.serving import LIGHT, Serve, child, serving, started_place, wait_until

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
#: Requests that one process takes; --workers 1 is one process.
CAPACITY = MOST_WAITING + 2


@pytest.fixture
def server() -> Iterator[Serve]:
    with started_place() as directory, serving(directory, *LIGHT) as server:
        yield server


def call(server: Serve, path: str) -> tuple[int, float, str | None]:
    """Return the status, the seconds, and Retry-After."""
    began = time.monotonic()
    with closing(HTTPConnection(urlsplit(server.url).netloc, timeout=60)) as connection:
        connection.request("GET", path, headers={"Authorization": f"Bearer {server.printed('API key')}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status, time.monotonic() - began, answer.getheader("Retry-After")


@contextmanager
def callers(server: Serve, count: int) -> Iterator[list[Future[Any]]]:
    with ThreadPoolExecutor(count) as pool:
        yield [pool.submit(call, server, server.annotations) for _ in range(count)]


@contextmanager
def frozen(server: Serve) -> Iterator[None]:
    postmaster = wait_until(lambda: child(server, "postgres"), "database")
    processes: list[psutil.Process] = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def test_the_server_says_within_2_s_that_its_database_is_frozen(server: Serve):
    assert call(server, server.annotations)[0] == 200
    with callers(server, 8) as waiting:
        with frozen(server):
            time.sleep(0.5)
            for _ in range(3):
                status, seconds, _ = call(server, "/_readyz")
                assert (status, seconds < 2) == (503, True), seconds
                status, seconds, _ = call(server, "/_livez")
                assert (status, seconds < 1) == (200, True), seconds
            with ThreadPoolExecutor(20) as probes:
                answers = list(probes.map(lambda _: call(server, "/_readyz"), range(20)))
            assert all(status == 503 and seconds < 2 for status, seconds, _ in answers)
        assert {each.result()[0] for each in waiting} <= {200, 503}
    wait_until(lambda: call(server, "/_readyz")[0] == 200, "ready server", 10)
    assert call(server, server.annotations)[0] == 200


@pytest.mark.whole
def test_more_requests_than_it_can_keep_are_refused(server: Serve):
    server.call("GET", server.annotations)
    with connect(server.directory) as holder:
        holder.execute("LOCK TABLE accounts_personalapikey")
        with callers(server, CAPACITY + 20) as waiting:
            wait_until(lambda: sum(each.done() for each in waiting) >= 20, "refusals", 8)
            early = [each.result() for each in waiting if each.done()]
            assert {(status, wait) for status, _, wait in early} == {(503, "1")}
            assert max(seconds for _, seconds, _ in early) < 5
            assert len([line for line in server.complaints() if "Requests are refused with 503" in line]) == 1
            assert call(server, "/_livez")[1] < 1
            # Those in the queue have waited long enough.
            is_over = lambda: sum(each.done() for each in waiting) >= CAPACITY  # noqa: E731
            wait_until(is_over, "end of the queue", PATIENCE_SECONDS + 5)
            assert ask(server.directory, _WAITING)[0] >= 1
            holder.rollback()
        assert {each.result()[0] for each in waiting} <= {200, 503}
    assert [call(server, server.annotations)[0] for _ in range(10)] == [200] * 10
