"""Hundreds of clients that send or read slowly, or nothing: others are answered, and the slow ones are cut off."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.suites.chaos.stage import KEY, Stage, stage

#: The seconds that D79 allows a client, and those that its end may take after them.
PATIENCE, GRACE = 10.0, 4.0
#: No other client may wait longer.
LONGEST = 1.0
MB = 2**20
#: A page of 20 MB, and one of nearly 1 MB, which is kept and so costs nothing to answer.
ROWS, SIZE, LARGE_PAGE, KEPT_PAGE = 850, 24_576, "limit=850", "limit=40"


@pytest.fixture(scope="module")
def scene() -> Iterator[Stage]:
    with stage("--workers", "2") as made:
        with made.connect() as connection:
            connection.execute(
                "INSERT INTO annotations_annotation (content, scope, project_id, organization_id, creation_type,"
                " created_at, updated_at, deleted) SELECT repeat('€', %s), 'project', p.id, p.organization_id, 'USR',"
                " now(), now(), false FROM projects_project p, generate_series(1, %s) WHERE p.name = 'Jobs'",
                [SIZE // 3, ROWS],
            )
        yield made


def notes(scene: Stage) -> str:
    return scene.path("annotations")


def connect(scene: Stage) -> socket.socket:
    host, _, port = scene.address.rpartition(":")
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    found.settimeout(30)
    found.connect((host, int(port)))
    return found


def head(scene: Stage, line: str, *headers: str) -> bytes:
    lines = [f"{line} HTTP/1.1", f"Host: {scene.address}", f"Authorization: Bearer {KEY}", *headers, "", ""]
    return "\r\n".join(lines).encode()


class Others:
    """Ordinary clients, each time on another connection; `worst` is the longest that one of them waited."""

    def __init__(self, scene: Stage) -> None:
        self._scene, self._is_over = scene, threading.Event()
        self.worst: dict[str, float] = {}
        self.wrong: list[str] = []
        calls = {
            "GET": ("GET", f"{notes(scene)}?limit=1", None, 200),
            "POST": ("POST", scene.path("annotations", "Client 0"), {"content": "x"}, 201),
            "ready": ("GET", "/_readyz", None, 200),
        }
        self._threads = [threading.Thread(target=self._call, args=(name, *call)) for name, call in calls.items()]

    def _call(self, name: str, method: str, path: str, body: Any, expected: int) -> None:
        while not self._is_over.wait(0.02):
            began = time.monotonic()
            with closing(HTTPConnection(self._scene.address, timeout=30)) as connection:
                headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
                connection.request(method, path, body and json.dumps(body), headers)
                answer = connection.getresponse()
                answer.read()
            self.worst[name] = max(self.worst.get(name, 0.0), time.monotonic() - began)
            if answer.status != expected:
                self.wrong.append(f"{name} {answer.status}")

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let them call inside the block; then all must have been answered, and soon."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in self._threads:
                thread.join()
        print(f"others waited at most { ({name: f'{seconds:.2f} s' for name, seconds in self.worst.items()}) }")
        assert not self.wrong, self.wrong[:5]
        assert set(self.worst) == {"GET", "POST", "ready"}
        assert max(self.worst.values()) < LONGEST, self.worst


def slow_ones(scene: Stage, count: int, act: Callable[[socket.socket], None]) -> tuple[ExitStack, list[socket.socket]]:
    """Connect `count` clients that each begin by `act`."""
    stack = ExitStack()
    found = [stack.enter_context(connect(scene)) for _ in range(count)]
    for each in found:
        act(each)
    return stack, found


def rest_of(connection: socket.socket) -> bytes:
    """Return what comes until the server hangs up."""
    received = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            received += piece
    return received


def test_200_clients_that_withhold_their_bodies(scene: Stage):
    sent = head(scene, f"POST {notes(scene)}", "Content-Type: application/json", "Content-Length: 1000") + b"{"
    with Others(scene).waiting():
        began = time.monotonic()
        stack, clients = slow_ones(scene, 200, lambda each: each.sendall(sent))
        with stack:
            for each in clients:
                answer = rest_of(each)
                assert b" 408 " in answer, answer
                assert b'"code": "request_timeout"' in answer
                assert b"cache-control: no-store" in answer.lower()
        assert PATIENCE - 0.5 < time.monotonic() - began < PATIENCE + GRACE


def test_200_clients_that_send_a_byte_now_and_then(scene: Stage):
    sent = head(scene, f"POST {notes(scene)}", "Content-Type: application/json", "Content-Length: 1000")
    with Others(scene).waiting():
        began = time.monotonic()
        stack, clients = slow_ones(scene, 200, lambda each: each.sendall(sent))
        with stack:
            while time.monotonic() - began < PATIENCE + 2:
                time.sleep(1)
                for each in clients:
                    with suppress(OSError):
                        each.sendall(b" ")
            assert all(b" 408 " in rest_of(each) for each in clients)
        assert time.monotonic() - began < PATIENCE + GRACE


def test_200_clients_whose_headers_do_not_end(scene: Stage):
    with Others(scene).waiting():
        began = time.monotonic()
        stack, clients = slow_ones(scene, 200, lambda each: each.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n"))
        with stack:
            while time.monotonic() - began < PATIENCE + 2:
                time.sleep(1)
                for number, each in enumerate(clients):
                    with suppress(OSError):
                        each.sendall(f"X-{number}: x\r\n".encode())
            assert all(rest_of(each) == b"" for each in clients)
        assert time.monotonic() - began < PATIENCE + GRACE


def test_200_clients_that_take_nothing_of_their_answers(scene: Stage):
    sent = head(scene, f"GET {notes(scene)}?{KEPT_PAGE}")
    with Others(scene).waiting():
        stack, clients = slow_ones(scene, 200, lambda each: each.sendall(sent))
        with stack:
            time.sleep(PATIENCE + GRACE + 4)
            # What their own side of the connection had taken, and no more.
            assert max(len(rest_of(each)) for each in clients) < MB // 2, "some were not cut"


def test_900_clients_that_say_nothing(scene: Stage):
    with Others(scene).waiting():
        stack, _ = slow_ones(scene, 900, lambda each: None)
        with stack:
            time.sleep(5)


def test_an_honest_reader_of_20_mb_at_1_mb_a_second_is_served(scene: Stage):
    with closing(HTTPConnection(scene.address, timeout=30)) as connection:
        connection.request("GET", f"{notes(scene)}?{LARGE_PAGE}", headers={"Authorization": f"Bearer {KEY}"})
        answer = connection.getresponse()
        received = b""
        while piece := answer.read(MB // 4):
            received += piece
            time.sleep(0.25)
    assert len(json.loads(received)["results"]) == ROWS
    assert len(received) > 20 * MB


def test_an_honest_writer_at_1_mb_a_second_is_served(scene: Stage):
    body = json.dumps({"content": "honest"}).encode()
    body += b" " * (9 * MB)
    with connect(scene) as client:
        path = scene.path("annotations", "Client 0")
        client.sendall(head(scene, f"POST {path}", "Content-Type: application/json", f"Content-Length: {len(body)}"))
        for start in range(0, len(body), MB // 4):
            client.sendall(body[start : start + MB // 4])
            time.sleep(0.25)
        assert client.recv(100).startswith(b"HTTP/1.1 201")
