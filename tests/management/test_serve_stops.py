import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import psutil
import pytest

from tests.support.places import connect
from tests.support.sampling import sampled
from tests.support.serving import LIGHT, Serve, none_survives, serving, started_place, survivors, wait_until


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """A directory that has been served before."""
    with started_place() as made:
        yield made


@pytest.fixture
def web_server(directory: Path) -> Iterator[Serve]:
    with serving(directory, *LIGHT) as server:
        yield server


@pytest.fixture
def server(directory: Path) -> Iterator[Serve]:
    with serving(directory) as server:
        yield server


@pytest.mark.parametrize("number", sampled([signal.SIGTERM, signal.SIGINT, signal.SIGHUP], 2))
def test_the_server_ends_cleanly_on_a_signal(server: Serve, number: int):
    assert len(survivors(server.directory)) > 3
    server.process.send_signal(number)
    assert server.process.wait(10) == 0
    assert survivors(server.directory) == []
    assert server.complaints() == []


@pytest.mark.whole
def test_three_signals_end_the_server_as_one_does(server: Serve):
    for _ in range(3):
        server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(10) == 0
    assert survivors(server.directory) == []


@pytest.mark.whole
def test_a_restart_keeps_everything(web_server: Serve):
    web_server.note("kept")
    before = [web_server.printed(name) for name in ("organization", "project", "API key")]
    assert web_server.stop() == 0
    with serving(web_server.directory, *LIGHT) as again:
        assert [again.printed(name) for name in ("organization", "project", "API key")] == before
        assert "kept" in again.contents()


@pytest.mark.whole
def test_no_acknowledged_write_is_lost_under_load(web_server: Serve):
    acknowledged: list[str] = []
    is_over = Event()

    def write(name: int) -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            # A request that meets the end is lost, and the client knows it.
            with suppress(OSError, HTTPException, AssertionError):
                web_server.note(f"load {name} {number}")
                acknowledged.append(f"load {name} {number}")

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, name) for name in range(4)]
        wait_until(lambda: len(acknowledged) > 100, "writes")
        web_server.process.send_signal(signal.SIGTERM)
        code = web_server.process.wait(10)
        is_over.set()
        for writer in writers:
            writer.result()
    assert code == 0
    with serving(web_server.directory, *LIGHT) as again:
        assert set(acknowledged) - again.contents() == set()


@pytest.mark.whole
def test_a_request_in_flight_is_finished(web_server: Serve):
    with connect(web_server.directory) as connection, ThreadPoolExecutor() as pool:
        connection.execute("LOCK TABLE annotations_annotation IN EXCLUSIVE MODE")
        answer = pool.submit(
            web_server.call, "POST", web_server.annotations, {"scope": "project", "content": "in flight"}
        )
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"
        wait_until(lambda: connection.execute(waiting).fetchone(), "waiting request")
        web_server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "Stopping" in web_server.stdout, "stopping server")
        connection.rollback()
        assert answer.result()[0] == 201
    assert web_server.process.wait(10) == 0


@pytest.mark.whole
def test_clients_that_send_nothing_do_not_hold_it(web_server: Serve):
    address = urlsplit(web_server.url)
    with socket.create_connection((address.hostname, address.port)) as idle:
        idle.sendall(b"GET /_livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(100).startswith(b"HTTP/1.1 200")
        with socket.create_connection((address.hostname, address.port)) as slow:
            slow.sendall(b"POST /api/x/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
            web_server.process.send_signal(signal.SIGTERM)
            assert web_server.process.wait(10) == 0
    assert survivors(web_server.directory) == []


def test_nothing_outlives_a_killed_one(server: Serve):
    server.note("acknowledged before the kill")
    server.process.kill()
    none_survives(server.directory)
    with serving(server.directory, *LIGHT) as again:
        assert "acknowledged before the kill" in again.contents()


@pytest.mark.whole
def test_nothing_outlives_one_that_is_killed_with_its_web_server(server: Serve):
    for process in psutil.Process(server.process.pid).children():
        process.kill()
    server.process.kill()
    none_survives(server.directory)


@pytest.mark.parametrize("delay", sampled([0.0, 0.05, 0.2], 3))
@pytest.mark.whole
def test_no_web_worker_outlives_one_that_is_killed_while_it_starts(directory: Path, delay: float):
    server = Serve(directory)
    try:
        server.reach(lambda: len(server.web_processes()) > 1)
        time.sleep(delay)
        server.process.kill()
        none_survives(directory)
    finally:
        server.end()


@pytest.mark.parametrize("delay", sampled([0.0, 0.1], 2))
@pytest.mark.whole
def test_a_web_worker_that_starts_does_not_hold_the_end(directory: Path, delay: float):
    server = Serve(directory)
    try:
        server.reach(lambda: len(server.web_processes()) > 1)
        time.sleep(delay)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0
    finally:
        server.end()
