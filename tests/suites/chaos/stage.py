"""A running server to be broken under load, and what is looked at after each fault."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg

from tests.suites.chaos.clients import Call, Crowd, Line
from tests.suites.chaos.invariants import NOTHING, Allowed, damage
from tests.support.places import connect, place
from tests.support.serving import Serve, child, manage, none_survives, survivors, wait_until

CLIENTS = 8
PERSONS = [f"0195a0c0-0000-7000-8000-{number:012d}" for number in range(200)]
KEY = "phx_fixed_for_the_tests_that_break_the_server"
#: The promise of the job worker: seconds until what a dead one left is done.
IDLE_WITHIN = 75.0
_QUEUED = "SELECT count(*) FROM procrastinate_jobs WHERE lock IS NOT NULL AND status IN ('todo', 'doing')"


def world() -> dict[str, Any]:
    persons = [
        {"distinct_ids": [uuid], "uuid": uuid, "properties": {"number": number, "email": f"{number}@example.com"}}
        for number, uuid in enumerate(PERSONS)
    ]
    names = [*(f"Client {number}" for number in range(CLIENTS)), "Jobs", "Doomed"]
    projects = [{"name": name, "persons": persons} for name in names]
    owner = {"email": "alice@example.com"}
    organization = {"name": "Acme", "members": {"alice@example.com": "owner"}, "projects": projects}
    key = {"label": "chaos", "user": "alice@example.com", "scopes": ["*"], "value": KEY}
    return {"users": [owner], "organizations": [organization], "api_keys": [key]}


@dataclass
class Totals:
    """The sums of one run of these tests."""

    faults: int = 0
    survived: int = 0
    requests: int = 0
    acknowledged: int = 0
    lost: int = 0
    other_5xx: int = 0
    unavailable: int = 0
    resets: int = 0
    kept_503: int = 0
    slowest_livez: float = 0.0

    def add(self, calls: list[Call]) -> None:
        self.requests += len(calls)
        self.acknowledged += sum(call.is_acknowledged and not call.what.startswith("GET") for call in calls)
        self.other_5xx += sum((call.status or 0) >= 500 and call.status != 503 for call in calls)
        self.unavailable += sum(call.status == 503 for call in calls)
        self.resets += sum(call.status is None for call in calls)

    def __str__(self) -> str:
        return (
            f"faults survived: {self.survived} of {self.faults}; requests: {self.requests},"
            f" acknowledged writes: {self.acknowledged}, lost: {self.lost},"
            f" 503: {self.unavailable}, other 5xx: {self.other_5xx}, connections lost: {self.resets},"
            f" slowest /_livez: {self.slowest_livez:.2f} s, kept though answered 503: {self.kept_503}"
        )


TOTALS = Totals()


class Stage:
    """One data directory and the server on it, which is started again on the same port when it was killed."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self._arguments = arguments
        file = directory.with_name("world.yaml")
        file.write_text(json.dumps(world()))
        self.server = Serve(directory, "--provision", str(file), *arguments).ready()
        self.address = urlsplit(self.server.url).netloc
        rows = self.ask("GET", "/api/projects/?limit=100")["results"]
        self.projects = {row["name"]: int(row["id"]) for row in rows}
        self.organization = str(self.server.printed("organization"))
        self._errors: list[str] = []

    def line(self, calls: list[Call] | None = None) -> Line:
        return Line(self.address, KEY, [] if calls is None else calls)

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        line = self.line()
        call = line.call(method, path, body)
        line.close()
        assert call.status == status, str(call)
        return call.body

    def path(self, resource: str = "", project: str = "Jobs") -> str:
        """Return the path of what a project holds, or of the project itself."""
        return f"/api/projects/{self.projects[project]}/" + (f"{resource}/" if resource else "")

    def connect(self) -> "psycopg.Connection[Any]":
        return connect(self.directory)

    def child(self, name: str) -> psutil.Process:
        process: psutil.Process = wait_until(lambda: child(self.server, name), name)
        return process

    def start_again(self) -> None:
        """Start a server where the one before has ended."""
        self._errors.append(self.server.stderr)
        self.server.end()
        port = self.address.rpartition(":")[2]
        self.server = Serve(self.directory, "--port", port, *self._arguments).ready()

    def kill_everything(self) -> None:
        for process in survivors(self.directory):
            with suppress(psutil.Error):
                process.kill()
        self.server.process.wait()
        none_survives(self.directory)

    def recover(self) -> None:
        """Wait until it says that it is ready; the first request then must succeed soon."""
        line = self.line()
        wait_until(lambda: line.call("GET", "/_readyz").status == 200, "ready server", 30)
        line.close()
        began, line = time.monotonic(), self.line()
        while (call := line.call("GET", self.path())).status != 200:
            assert time.monotonic() - began < 3, str(call)
            time.sleep(0.05)
        assert time.monotonic() - began < 3, str(call)
        line.close()

    def settle(self) -> None:
        """Wait until no job is left."""
        with self.connect() as connection:
            connection.autocommit = True
            wait_until(lambda: connection.execute(_QUEUED).fetchone() == (0,), "idle queue", IDLE_WITHIN)

    @contextmanager
    def survive(self, fault: str, allowed: Allowed = NOTHING, *, clients: int = CLIENTS) -> Iterator[Crowd]:
        """Run a block that breaks the server while clients work; afterwards everything must hold."""
        TOTALS.faults += 1
        own = [self.projects[f"Client {number}"] for number in range(clients)]
        crowd = Crowd(self.address, KEY, own, self.organization, PERSONS)
        crowd.start()
        try:
            wait_until(lambda: crowd.acknowledged >= 5 * clients, "writes")
            yield crowd
            self.recover()
            before = crowd.acknowledged
            wait_until(lambda: crowd.acknowledged >= before + 5 * clients, "writes after the fault")
        finally:
            crowd.stop()
            TOTALS.add(crowd.calls)
            slowest = max((call.seconds for call in crowd.prober.calls if call.status), default=0.0)
            TOTALS.slowest_livez = max(TOTALS.slowest_livez, slowest)
        self.settle()
        self.check(crowd, allowed, fault)
        TOTALS.survived += 1

    def check(self, crowd: Crowd, allowed: Allowed, fault: str) -> None:
        line = self.line()
        result = damage(crowd, line, allowed)
        line.close()
        TOTALS.lost += result.lost
        TOTALS.kept_503 += result.kept_503
        result.problems += self._complaints()
        assert not result.problems, "\n".join([f"{fault}: {len(result.problems)} things broke", *result.problems[:20]])

    def _complaints(self) -> list[str]:
        """Return what the server's own check, its logs and the database say."""
        problems = []
        done = manage(self.directory, "verify")
        if done.returncode:
            problems.append(f"verify: {done.stdout} {done.stderr}")
        log = (self.directory / "postgres.log").read_text(errors="replace")
        for text in (*self._errors, self.server.stderr, log):
            problems += [line for line in text.splitlines() if "phx_" in line]
        return problems

    def end(self) -> None:
        self.server.end()


@contextmanager
def stage(*arguments: str) -> Iterator[Stage]:
    with place() as parent:
        made = Stage(parent / "data", *arguments)
        try:
            yield made
        finally:
            made.end()
