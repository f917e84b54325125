"""A running `serve --lab` with a small world, and requests to it."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPMessage
from socket import socket
from threading import Thread
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import psutil

from core6.lab.front import Front
from core6.serving.ports import free_port
from tests.support.places import place
from tests.support.serving import Serve, child, serving, wait_until

#: Fixed keys, as CI jobs have them; the first one is the printed one.
KEY: Final = "phx_" + "c" * 48
OTHER_KEY: Final = "phx_" + "d" * 48
WORLD: Final[dict[str, Any]] = {
    "users": [{"email": "alice@example.com", "is_staff": True}],
    "organizations": [
        {
            "name": "Acme",
            "members": {"alice@example.com": "owner"},
            "projects": [{"name": "Web", "persons": [{"distinct_ids": ["p1"], "properties": {"plan": "pro"}}]}],
        }
    ],
    "api_keys": [
        {"label": "ci", "user": "alice@example.com", "scopes": ["*"], "value": KEY},
        {"label": "other job", "user": "alice@example.com", "scopes": ["*"], "value": OTHER_KEY},
    ],
}
JSON: Final = {"Content-Type": "application/json"}


class Answer(NamedTuple):
    """A response, whole."""

    status: int
    headers: HTTPMessage
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content or "null")


class Lab:
    """Requests to a running lab, and to the web server behind it."""

    def __init__(self, server: Serve) -> None:
        self.server = server
        self.project = server.printed("project")
        self.notes = f"/api/projects/{self.project}/annotations/"
        self.cohorts = f"/api/projects/{self.project}/cohorts/"

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        key: str | None = KEY,
        port: int | None = None,
    ) -> Answer:
        """Send a request as JSON, with the key; other values than bytes are written as JSON."""
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {**({"Authorization": f"Bearer {key}"} if key else {}), **({} if body is None else JSON)}
        with closing(HTTPConnection("127.0.0.1", port or urlsplit(self.server.url).port, timeout=60)) as connection:
            connection.request(method, path, content, {**sent, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    def ask(self, method: str, name: str, body: Any = None) -> Any:
        """Send a request to the lab itself, which has to succeed; return the JSON."""
        answer = self.send(method, f"/_lab/{name}", body, key=None)
        assert answer.status in (200, 204), answer.json
        return answer.json

    def order(self, **fault: Any) -> dict[str, Any]:
        """Order a fault."""
        made: dict[str, Any] = self.ask("POST", "faults", fault)
        return made

    def journal(self, query: str = "") -> list[dict[str, Any]]:
        """Return the requests that the journal has."""
        rows: list[dict[str, Any]] = self.ask("GET", f"requests{query}")["results"]
        return rows

    def note(self, content: str = "a note") -> Answer:
        """Create an annotation."""
        return self.send("POST", self.notes, {"content": content, "scope": "project"})

    def process(self) -> psutil.Process:
        """Return the process of the lab."""
        found = child(self.server, "core6.lab")
        assert found
        return found

    def inner_port(self) -> int:
        """Return the port of the web server behind the lab."""
        return int(self.process().cmdline()[-1].rpartition(":")[2])

    def begin_anew(self) -> None:
        """Clear all but the rows, which `reset` alone does."""
        for method, name, body in (
            ("DELETE", "faults", None),
            ("DELETE", "requests", None),
            ("PUT", "clock", {}),
            ("PUT", "strict", {"enabled": False}),
        ):
            self.ask(method, name, body)


@contextmanager
def front(target: str) -> Iterator[int]:
    """Run the web server of a lab in this process, in front of `target`; yield its port."""
    port = free_port("127.0.0.1", 0)
    loop, end = asyncio.new_event_loop(), asyncio.Event()
    thread = Thread(target=loop.run_until_complete, args=[Front(target).serve("127.0.0.1", port, end)])
    thread.start()
    try:
        wait_until(lambda: is_listening(port), "listening lab")
        yield port
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


def is_listening(port: int) -> bool:
    with closing(socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def lab(*arguments: str, **given: str) -> Iterator[Lab]:
    """Run `serve --lab` on a new data directory, with the world above."""
    with place() as parent:
        world = parent / "world.json"
        world.write_text(json.dumps(WORLD))
        options = ("--lab", "--workers", "1", "--provision", str(world), *arguments)
        with serving(parent / "data", *options, **given) as server:
            yield Lab(server)
