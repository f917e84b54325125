"""Clients who read each of their writes back at once, through every web server, and note what they did not see."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.suites.chaos.clients import Call, Line


class Reader:
    """One client with a project of its own: it writes through one web server and reads through all."""

    def __init__(self, project: int, organization: str, lines: list[Line]) -> None:
        self.lines = lines
        self.at = f"/api/projects/{project}"
        self.roles = f"/api/organizations/{organization}/roles/"
        self.reads = self.writes = 0
        self.stale: list[str] = []
        self._is_over = threading.Event()
        self._turn = project

    def run(self) -> None:
        while not self._is_over.is_set():
            self._note()
            self._role()
            time.sleep(0.01)
        for line in self.lines:
            line.close()

    def end(self) -> None:
        self._is_over.set()

    def _write(self, method: str, path: str, body: Any) -> Any:
        self._turn += 1
        call = self.lines[self._turn % len(self.lines)].call(method, path, body)
        assert call.is_acknowledged, str(call)
        self.writes += 1
        return call.body

    def _see(self, path: str, expected: str, found: Any) -> None:
        for number, line in enumerate(self.lines):
            call = line.call("GET", path)
            assert call.status == 200, str(call)
            self.reads += 1
            if expected not in found(call.body):
                self.stale.append(f"{path} by web server {number} lacks {expected}")

    def _note(self) -> None:
        content = f"note-{uuid.uuid4().hex}"
        made = self._write("POST", f"{self.at}/annotations/", {"content": content, "scope": "project"})
        path = f"{self.at}/annotations/{made['id']}/"
        for _ in range(2):
            self._see(f"{self.at}/annotations/?limit=3", content, contents)
            # The ordinary way.
            self._see(f"{self.at}/annotations/?limit=3&search={content}", content, contents)
            self._see(path, content, lambda body: [body["content"]])
            content = f"note-{uuid.uuid4().hex}"
            self._write("PATCH", path, {"content": content})
        self._see(path, content, lambda body: [body["content"]])

    def _role(self) -> None:
        name = f"role-{uuid.uuid4().hex}"
        made = self._write("POST", self.roles, {"name": name})
        self._see(f"{self.roles}?limit=1000", name, lambda body: [row["name"] for row in body["results"]])
        self._write("DELETE", f"{self.roles}{made['id']}/", None)


def contents(body: Any) -> list[str]:
    return [row["content"] for row in body["results"]]


class Readers:
    """Several of them, each in a thread."""

    def __init__(self, addresses: list[str], key: str, projects: list[int], organization: str) -> None:
        self.calls: list[Call] = []
        self.readers = [
            Reader(project, organization, [Line(address, key, self.calls) for address in addresses])
            for project in projects
        ]

    def __enter__(self) -> "Readers":
        self._pool = ThreadPoolExecutor(len(self.readers))
        self._running = [self._pool.submit(each.run) for each in self.readers]
        return self

    def __exit__(self, *error: Any) -> None:
        for each in self.readers:
            each.end()
        self._pool.shutdown()
        for running in self._running:
            running.result()

    def figures(self) -> str:
        writes, reads = sum(each.writes for each in self.readers), sum(each.reads for each in self.readers)
        slowest = max(call.seconds for call in self.calls)
        return f"{writes} writes read back {reads} times, 0 not seen, 0 of 5xx, slowest {slowest:.1f} s"

    @property
    def stale(self) -> list[str]:
        return [each for reader in self.readers for each in reader.stale]
