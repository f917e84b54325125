"""Clients that drive a running server while it is broken, and that know the outcome of each write."""

import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from http.client import HTTPConnection, HTTPException
from typing import Any

#: Longer than any request may take: who waits that long was forgotten.
TIMEOUT = 40.0
_PAUSE = 0.01


class Outcome(StrEnum):
    """What a client knows of a write."""

    KEPT = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


#: What is surer comes first: who was put in twice is in when one of the two was acknowledged.
_ORDER = (Outcome.KEPT, Outcome.UNKNOWN, Outcome.REFUSED)


@dataclass(frozen=True)
class Call:
    """One request and what came of it; without a status the connection was lost, or nothing came in time."""

    what: str
    began: float
    seconds: float
    status: int | None
    body: Any = None
    retry_after: str | None = None
    why: str = ""

    @property
    def is_acknowledged(self) -> bool:
        return self.status is not None and self.status < 300

    @property
    def outcome(self) -> Outcome:
        if self.status is None:
            return Outcome.UNKNOWN
        return Outcome.KEPT if self.is_acknowledged else Outcome.REFUSED

    def __str__(self) -> str:
        return f"{self.what}: {self.status or self.why} after {self.seconds:.2f} s {str(self.body)[:300]}"


class Line:
    """A connection that is kept and made anew when it was lost; it notes each call."""

    def __init__(self, address: str, key: str, calls: list[Call]) -> None:
        self.address = address
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._calls = calls
        self._connection: HTTPConnection | None = None

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Call:
        began = time.monotonic()
        what, fields = f"{method} {path}", {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            if self._connection is None:
                self._connection = HTTPConnection(self.address, timeout=TIMEOUT)
            sent = json.dumps(body) if body is not None else None
            self._connection.request(method, path, sent, {**self._headers, **fields})
            answer = self._connection.getresponse()
            text = answer.read()
            seconds = time.monotonic() - began
            found = json.loads(text) if text else None
            call = Call(what, began, seconds, answer.status, found, answer.getheader("Retry-After"))
        except (OSError, HTTPException) as error:
            self.close()
            why = "timeout" if isinstance(error, TimeoutError) else type(error).__name__
            call = Call(what, began, time.monotonic() - began, None, why=why)
        self._calls.append(call)
        return call

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None


@dataclass
class Known:
    """The outcomes of a client's writes, in their order."""

    #: Content of an annotation, or name of a role: what became of it.
    notes: dict[str, Outcome] = field(default_factory=dict)
    roles: dict[str, Outcome] = field(default_factory=dict)
    #: Contents that were sent with an Idempotency-Key until they were answered.
    once: dict[str, Outcome] = field(default_factory=dict)
    #: Persons who were put into the static cohort.
    members: dict[str, Outcome] = field(default_factory=dict)
    #: The numbers, or the tokens, that one thing had one after the other; of an unknown one, perhaps None.
    counter: list[tuple[int, Outcome]] = field(default_factory=list)
    definitions: list[tuple[int, Outcome]] = field(default_factory=list)
    api_tokens: list[tuple[str | None, Outcome]] = field(default_factory=list)
    secret_tokens: list[tuple[str | None, Outcome]] = field(default_factory=list)


def numbers_below(limit: int) -> dict[str, Any]:
    """Return the filters of a cohort: the persons whose number is below."""
    condition = {"type": "person", "key": "number", "operator": "lt", "value": limit}
    return {"properties": {"type": "AND", "values": [{"type": "AND", "values": [condition]}]}}


class Client:
    """One user of the API, with a project, an annotation and two cohorts of its own."""

    def __init__(self, number: int, project: int, organization: str, persons: list[str], line: Line) -> None:
        self.number, self.project, self.persons, self.line = number, project, persons, line
        self.known = Known()
        self.at = f"/api/projects/{project}"
        self.roles = f"/api/organizations/{organization}/roles/"
        self._own = uuid.uuid4().hex[:8]
        self._count = 0
        self._chance = random.Random(number)
        self._is_over = threading.Event()
        # The rarer ones cost the server more.
        self._acts: list[tuple[Callable[[], None], int]] = [
            (self._note, 6),
            (self._count_up, 4),
            (self._read, 6),
            (self._note_once, 3),
            (self._role, 2),
            (self._add_persons, 2),
            (self._rotate_secret, 1),
            (self._reset_token, 1),
            (self._define, 1),
        ]

    def prepare(self) -> None:
        """Make what is its own, before anything is broken."""
        self.counter = self._made(f"{self.at}/annotations/", {"content": self._counted(0), "scope": "project"})
        self.known.counter.append((0, Outcome.KEPT))
        static = {"name": self._own, "is_static": True, "_create_static_person_ids": [self.persons[0]]}
        self.static = self._made(f"{self.at}/cohorts/", static)
        self.known.members[self.persons[0]] = Outcome.KEPT
        self.dynamic = self._made(f"{self.at}/cohorts/", {"name": self._own, "filters": numbers_below(1)})
        self.known.definitions.append((1, Outcome.KEPT))

    def run(self) -> None:
        """Act at random until stopped; the request under way is then finished."""
        acts, weights = zip(*self._acts, strict=True)
        while not self._is_over.is_set():
            (act,) = self._chance.choices(acts, weights)
            act()
            time.sleep(_PAUSE)
        self.line.close()

    def end(self) -> None:
        self._is_over.set()

    def _made(self, path: str, body: Any) -> int:
        call = self.line.call("POST", path, body)
        assert call.status == 201, str(call)
        return int(call.body["id"])

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _name(self, kind: str) -> str:
        return f"{kind} {self._own} {self._next()}"

    def _counted(self, number: int) -> str:
        return f"counter {self._own} {number}"

    def _note(self) -> None:
        content = self._name("note")
        call = self.line.call("POST", f"{self.at}/annotations/", {"content": content, "scope": "project"})
        self.known.notes[content] = call.outcome

    def _note_once(self) -> None:
        content, deadline = self._name("once"), time.monotonic() + 2 * TIMEOUT
        key, body = uuid.uuid4().hex, {"content": content, "scope": "project"}
        while True:
            call = self.line.call("POST", f"{self.at}/annotations/", body, Idempotency_Key=key)
            self.known.once[content] = Outcome.UNKNOWN
            if call.is_acknowledged:
                self.known.once[content] = Outcome.KEPT
            elif call.status in (None, 409, 503) and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            return

    def _count_up(self) -> None:
        number = self._next()
        path = f"{self.at}/annotations/{self.counter}/"
        call = self.line.call("PATCH", path, {"content": self._counted(number)})
        self.known.counter.append((number, call.outcome))

    def _role(self) -> None:
        name = self._name("role")
        self.known.roles[name] = self.line.call("POST", self.roles, {"name": name}).outcome

    def _add_persons(self) -> None:
        some = self._chance.sample(self.persons, 3)
        path = f"{self.at}/cohorts/{self.static}/add_persons_to_static_cohort/"
        outcome = self.line.call("PATCH", path, {"person_ids": some}).outcome
        for each in some:
            before = self.known.members.get(each, Outcome.REFUSED)
            self.known.members[each] = min(before, outcome, key=_ORDER.index)

    def _define(self) -> None:
        limit = self._chance.randrange(len(self.persons))
        path = f"{self.at}/cohorts/{self.dynamic}/"
        call = self.line.call("PATCH", path, {"filters": numbers_below(limit)})
        self.known.definitions.append((limit, call.outcome))

    def _reset_token(self) -> None:
        call = self.line.call("PATCH", f"{self.at}/reset_token/", {})
        self.known.api_tokens.append((call.body["api_token"] if call.is_acknowledged else None, call.outcome))

    def _rotate_secret(self) -> None:
        call = self.line.call("PATCH", f"{self.at}/rotate_secret_token/", {})
        token = call.body["secret_api_token"] if call.is_acknowledged else None
        self.known.secret_tokens.append((token, call.outcome))

    def _read(self) -> None:
        paths = ("/", "/annotations/?limit=10", f"/annotations/{self.counter}/", f"/cohorts/{self.dynamic}/")
        self.line.call("GET", f"{self.at}{self._chance.choice(paths)}")


class Prober:
    """Asks `/_livez` all the time, each time as a caller that was not there before."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.calls: list[Call] = []
        self._is_over = threading.Event()

    def run(self) -> None:
        while not self._is_over.wait(0.1):
            line = Line(self.address, "none", self.calls)
            line.call("GET", "/_livez")
            line.close()

    def end(self) -> None:
        self._is_over.set()


class Crowd:
    """Clients at work, each in a thread, and a prober."""

    def __init__(self, address: str, key: str, projects: list[int], organization: str, persons: list[str]) -> None:
        self.calls: list[Call] = []
        self.clients = [
            Client(number, project, organization, persons, Line(address, key, self.calls))
            for number, project in enumerate(projects)
        ]
        self.prober = Prober(address)
        self._pool = ThreadPoolExecutor(len(projects) + 1)

    def start(self) -> None:
        for client in self.clients:
            client.prepare()
        self._running = [self._pool.submit(client.run) for client in self.clients]
        self._running.append(self._pool.submit(self.prober.run))

    def stop(self) -> None:
        """End all, and raise what one of them stumbled over."""
        for client in self.clients:
            client.end()
        self.prober.end()
        self._pool.shutdown()
        for running in self._running:
            running.result()

    @property
    def acknowledged(self) -> int:
        """Return how many writes were acknowledged so far."""
        return sum(call.is_acknowledged and not call.what.startswith("GET") for call in self.calls)
