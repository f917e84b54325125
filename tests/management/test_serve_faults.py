import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.support.places import ask, connect
from tests.support.serving import Serve, child, serving, started_place, survivors, wait_until

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@pytest.fixture(scope="module")
def server() -> Iterator[Serve]:
    """A server whose children are killed by one test after another."""
    with started_place() as directory, serving(directory) as server:
        yield server


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("core6.serving", signal.SIGTERM),
        ("core6.serving", signal.SIGKILL),
        ("worker", signal.SIGKILL),
        ("postgres", signal.SIGINT),
        ("postgres", signal.SIGKILL),
    ],
)
def test_a_child_that_dies_is_started_again(server: Serve, name: str, number: int):
    server.note(f"before {name} {number}")
    old = wait_until(lambda: child(server, name), name)
    old.send_signal(number)
    psutil.wait_procs([old], timeout=15)
    wait_until(lambda: (new := child(server, name)) and new.pid != old.pid, "new child")
    wait_until(server.is_answering, "answer after the death")
    assert f"before {name} {number}" in server.contents()
    assert "was started again" in server.stderr
    assert server.process.poll() is None


def test_a_web_worker_that_dies_is_replaced(server: Serve):
    web = wait_until(lambda: child(server, "core6.serving"), "web server")
    before = {process.pid for process in web.children()}
    for process in web.children():
        process.kill()
    wait_until(lambda: len({process.pid for process in web.children()} - before) == len(before), "new workers")
    wait_until(server.is_answering, "answer after the death")


def test_the_server_lives_while_every_request_waits(server: Serve):
    with ThreadPoolExecutor(8) as clients, connect(server.directory) as holder:
        holder.execute("LOCK TABLE accounts_personalapikey")
        waiting = [clients.submit(server.call, "GET", server.annotations) for _ in range(8)]
        wait_until(lambda: ask(server.directory, _WAITING)[0], "requests that wait")
        began = time.monotonic()
        assert server.call("GET", "/_livez") == (200, {"status": "ok"})
        assert time.monotonic() - began < 1
        assert not any(answer.done() for answer in waiting)
        holder.rollback()
        assert {answer.result()[0] for answer in waiting} == {200}


def test_the_server_ends_cleanly_after_every_death(server: Serve):
    assert server.stop() == 0
    assert survivors(server.directory) == []
    assert "phx_" not in server.stderr
