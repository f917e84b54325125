"""Web servers and job workers of several machines on one database, and what is looked at when all is over."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from core6.settings import BASE_DIR
from tests.suites.chaos.clients import Call, Crowd, Line
from tests.suites.chaos.invariants import Allowed, damage
from tests.suites.chaos.stage import CLIENTS, IDLE_WITHIN, KEY, PERSONS, world
from tests.support.serving import MANAGE, Serve, environment, manage, wait_until
from tests.support.settings import SECRET

_QUEUED = "SELECT count(*) FROM procrastinate_jobs WHERE lock IS NOT NULL AND status IN ('todo', 'doing')"
#: Seconds that a test makes things go wrong in: a little is enough.
A_WHILE = 1.5


class Worker:
    """A running `manage.py worker`."""

    def __init__(self, directory: Path, given: dict[str, str]) -> None:
        self._log = directory.with_name(f"{directory.name}.log").open("a")
        self.process = subprocess.Popen(
            [*MANAGE, "worker"], cwd=BASE_DIR, env=environment(directory, given), stdout=self._log, stderr=self._log
        )

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(20) == 0, self._log.name

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.kill()
        self._log.close()


class Machines:
    """Everything that runs on one database; each web server and worker has a directory of its own, as on a machine."""

    def __init__(self, parent: Path, direct: str, **given: str) -> None:
        """`direct` is the address of the database for who looks from outside, `given` is what each is started with."""
        self.parent, self.direct = parent, direct
        self.given = {"DATABASE_URL": direct, "SECRET_KEY": SECRET, **given}
        self.webs: list[Serve] = []
        self.workers: list[Worker] = []
        self._started: list[Serve | Worker] = []
        self.world = parent / "world.json"
        self.world.write_text(json.dumps(world()))

    def web(self, *arguments: str, **given: str) -> Serve:
        """Start a web server; the caller waits until it is ready."""
        directory = self.parent / f"web{len(self._started):02}"
        made = Serve(directory, "--no-worker", *arguments, **{**self.given, **given})
        self._started.append(made)
        return made

    def start_webs(self, count: int, *arguments: str, **given: str) -> None:
        """Start web servers at the same time, each of which declares the world."""
        made = [self.web("--provision", str(self.world), *arguments, **given) for _ in range(count)]
        self.webs += [each.ready() for each in made]

    def start_workers(self, count: int) -> None:
        for _ in range(count):
            made = Worker(self.parent / f"worker{len(self._started):02}", self.given)
            self._started.append(made)
            self.workers.append(made)

    def restart_web(self, place: int, *, is_killed: bool = False) -> None:
        """End a web server and start one in its place, on the same port."""
        web = self.webs[place]
        port = urlsplit(web.url).netloc.rpartition(":")[2]
        if is_killed:
            web.end()
        else:
            assert web.stop() == 0
        self.webs[place] = self.web("--port", port, "--workers", "1").ready()

    def restart_worker(self, place: int, *, is_killed: bool = False) -> None:
        worker = self.workers.pop(place)
        (worker.kill if is_killed else worker.stop)()
        self.start_workers(1)

    def address(self, place: int = 0) -> str:
        return urlsplit(self.webs[place].url).netloc

    def line(self, place: int = 0, calls: list[Call] | None = None) -> Line:
        return Line(self.address(place), KEY, [] if calls is None else calls)

    def get(self, path: str, place: int = 0) -> Any:
        line = self.line(place)
        call = line.call("GET", path)
        line.close()
        assert call.status == 200, str(call)
        return call.body

    @property
    def projects(self) -> dict[str, int]:
        return {row["name"]: int(row["id"]) for row in self.get("/api/projects/?limit=100")["results"]}

    @property
    def organization(self) -> str:
        return str(self.get("/api/organizations/@current/")["id"])

    @contextmanager
    def crowd(self, clients: int = 4) -> Iterator[Crowd]:
        """Let clients of all web servers work while the block runs, and a while after it."""
        own = [self.projects[f"Client {number}"] for number in range(min(clients, CLIENTS))]
        crowd = Crowd(self.address(), KEY, own, self.organization, PERSONS)
        for client in crowd.clients:
            client.line = self.line(client.number % len(self.webs), crowd.calls)
        crowd.start()
        try:
            wait_until(lambda: crowd.acknowledged >= 5 * clients, "writes")
            yield crowd
            before = crowd.acknowledged
            wait_until(lambda: crowd.acknowledged >= before + 5 * clients, "writes after the fault")
        finally:
            crowd.stop()

    def check(self, crowd: Crowd, allowed: Allowed, place: int = 0) -> None:
        """See that nothing acknowledged is lost, that clients were answered fairly, and what `verify` says."""
        with psycopg.connect(self.direct) as connection:
            connection.autocommit = True
            wait_until(lambda: connection.execute(_QUEUED).fetchone() == (0,), "idle queue", IDLE_WITHIN)
        line = self.line(place)
        result = damage(crowd, line, allowed)
        line.close()
        assert not result.problems, "\n".join([f"{len(result.problems)} things broke", *result.problems[:20]])
        self.verify()

    def verify(self) -> None:
        given = {"DATABASE_URL": self.direct, "SECRET_KEY": SECRET}
        done = manage(self.parent / "look", "verify", **given)
        assert done.returncode == 0, done.stdout + done.stderr

    def end(self) -> None:
        for each in self._started:
            each.end()


def figures(calls: list[Call]) -> str:
    """Return what clients saw, in one line."""
    writes = sum(call.is_acknowledged and not call.what.startswith("GET") for call in calls)
    unavailable = sum(call.status == 503 for call in calls)
    broken = sum((call.status or 0) >= 500 and call.status != 503 for call in calls)
    lost = sum(call.status is None for call in calls)
    slowest = max(call.seconds for call in calls)
    return (
        f"{len(calls)} requests, {writes} acknowledged writes, 0 lost; 503: {unavailable}, other 5xx: {broken},"
        f" connections lost: {lost}, slowest {slowest:.1f} s"
    )


def pause() -> None:
    time.sleep(A_WHILE)
