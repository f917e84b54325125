"""Reads and writes: processor milliseconds a request, of our server and of the peers on the same database and data.

The figure is utime and stime of a server's processes and of Postgres' while that server alone is called. Servers take
turns, round after round; the medians are reported.
"""

import json
import statistics
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.suites.benchmarks import load, same
from tests.suites.benchmarks.data import World, fill, take_back
from tests.suites.benchmarks.goals import Goal
from tests.suites.benchmarks.servers import WORKERS, Running, database_cpu_ms, database_of, ours, peers
from tests.suites.benchmarks.work import AIMS, MIDDLE, Lane, Work, works
from tests.support.places import place
from tests.support.serving import serving


@dataclass(frozen=True)
class Pace:
    """How long and how often each lane is measured; rounds by connections."""

    milliseconds: int
    rounds: dict[int, int]


FULL = Pace(800, {1: 3, 16: 5, 64: 3})
QUICK = Pace(400, {1: 1, 16: 3, 64: 1})


@dataclass(frozen=True)
class Figures:
    """One round of one lane, or the medians of several."""

    cpu_ms: float
    server_ms: float
    database_ms: float
    rps: float
    p99_ms: float


class Bench:
    """The servers at work on one database."""

    def __init__(self, directory: Path, world: World, running: dict[str, Running], pace: Pace) -> None:
        self.directory, self.world, self.running, self.pace = directory, world, running, pace
        self.database = database_of(directory)
        #: By work, connections and lane.
        self.found: dict[str, dict[int, dict[str, Figures]]] = {}
        self.rounds: list[dict[str, Any]] = []
        #: How often something was changed on purpose.
        self.changes = 0

    def compare(self, work: Work) -> None:
        """See to it that everybody answers the same, and refuses the same."""
        reference = self.running["core6"]
        for lane in work.lanes:
            server = self.running[lane.server]
            if lane.server == "hello":
                continue
            if "/annotations/" in lane.path:
                same.check_refusals(server, lane, self.world)
            if server is not reference:
                same.compare(reference, server, lane, self.world, self.directory)

    def measure(self, work: Work) -> None:
        """Measure a work at each number of connections, and print it."""
        for lane in work.lanes:  # statements get prepared, code and pages warm
            self.measure_round(lane, MIDDLE, self.pace.milliseconds // 2)
        for connections in work.connections:
            rounds: dict[str, list[Figures]] = {lane.label: [] for lane in work.lanes}
            for number in range(self.pace.rounds[connections]):
                for lane in work.lanes:
                    figures = self.measure_round(lane, connections, self.pace.milliseconds)
                    rounds[lane.label].append(figures)
                    where = {"work": work.name, "connections": connections, "lane": lane.label, "round": number}
                    self.rounds.append({**where, **asdict(figures)})
            medians = {label: _median(listed) for label, listed in rounds.items()}
            self.found.setdefault(work.name, {})[connections] = medians
            for label, each in medians.items():
                print(
                    f"  {work.name:16} c={connections:<3} {label:12} {each.cpu_ms:8.2f} ms of CPU"
                    f" ({each.server_ms:.2f} + {each.database_ms:.2f})  {each.rps:8.0f}/s   p99 {each.p99_ms:8.1f} ms",
                    flush=True,
                )

    def measure_round(self, lane: Lane, connections: int, milliseconds: int) -> Figures:
        server = self.running[lane.server]
        headers = {"Authorization": f"Bearer {self.world.key}"}
        if lane.is_conditional:
            headers["If-None-Match"] = etag(server, lane, self.world)
            again = server.ask(lane.path, self.world.key, **headers)
            assert again.status == 304, f"{lane.server} answered {again.status} where nothing had changed"
        if lane.is_after_change:
            self._change()
        before = server.cpu_ms(), database_cpu_ms(self.database)
        try:
            seen = load.run(server.url, lane.paths, headers, connections, milliseconds, lane.method, lane.body)
        except AssertionError as error:
            raise AssertionError(f"{lane.server} with {connections} connections: {error}") from error
        spent = server.cpu_ms() - before[0], database_cpu_ms(self.database) - before[1]
        if lane.body is not None:
            written, logged = take_back(self.directory, self.world)
            counts = f"{seen.requests} requests, {written} written, {logged} logged"
            assert written == logged == seen.requests, f"{lane.server}: {counts}"
        own, database = (each / seen.requests for each in spent)
        return Figures(own + database, own, database, seen.requests / seen.elapsed_ms * 1000, seen.p99_ms)

    def _change(self) -> None:
        """Change something in the organization that no work reads, before one is measured."""
        self.changes += 1
        body = json.dumps({"content": f"Change {self.changes}"})
        answer = self.running["core6"].ask(self.world.elsewhere, self.world.key, body, "PATCH")
        assert answer.status == 200, answer.body

    def goals(self) -> Iterator[Goal]:
        """Yield the goals of what was measured."""
        for aim in AIMS:
            if aim.work not in self.found:
                continue
            figures = self.found[aim.work].get(MIDDLE, {})
            mine, theirs = figures.get(aim.ours), figures.get(aim.of)
            ratio = None
            if mine and theirs:
                ratio = theirs.cpu_ms / mine.cpu_ms if aim.most is None else mine.cpu_ms / theirs.cpu_ms
            shown = {name: f"{each.cpu_ms:.2f} ms" for name, each in ((aim.ours, mine), (aim.of, theirs)) if each}
            yield Goal(aim.work, ratio, aim.of, aim.least, aim.most, shown, aim.is_later)


def etag(server: Running, lane: Lane, world: World) -> str:
    """Return the ETag of an answer, empty when it has none."""
    return server.ask(lane.path, world.key).headers.get("etag", "")


def measure(pace: Pace, only: Collection[str]) -> tuple[dict[str, Any], list[Goal]]:
    """Measure what `only` names, or everything; return the figures and the goals."""
    load.require()
    with _bench(pace) as bench:
        chosen = [work for work in works(bench.world) if not only or work.name in only]
        for work in chosen:
            bench.compare(work)
        for work in chosen:
            conditional = next((lane for lane in work.lanes if lane.is_conditional), None)
            if conditional and not etag(bench.running["core6"], conditional, bench.world):
                print(f"  {work.name:16} not yet: the server sends no ETag")
                bench.found[work.name] = {}
                continue
            bench.measure(work)
        goals = list(bench.goals())
        memory = {}
        if not only or "memory" in only:
            memory = _memory(bench)
            figures = {name: f"{memory[name]:.1f} MB" for name in ("core6", "f")}
            goals.append(Goal("memory", memory["core6"] / memory["f"], "f", most=1.5, figures=figures))
        return {"medians": _plain(bench.found), "rounds": bench.rounds, "memory_mb": memory}, goals


@contextmanager
def _bench(pace: Pace) -> Iterator[Bench]:
    # Without its job worker: computing cohorts would take processor time of everybody's rounds.
    options = ("--no-worker", "--workers", str(WORKERS))
    with place() as directory, serving(directory / "data", *options) as server:
        world = fill(server)
        with peers(server) as running:
            yield Bench(server.directory, world, {"core6": ours(server), **running}, pace)


def _memory(bench: Bench) -> dict[str, float]:
    """Return the megabytes of a worker, after everybody has listed."""
    page = f"/api/projects/{bench.world.project}/annotations/?limit=100"
    for name in ("core6", "a", "f", "f-best"):
        bench.measure_round(Lane(name, name, page), MIDDLE, bench.pace.milliseconds)
    found = {name: server.worker_uss_mb() for name, server in bench.running.items()}
    print("  memory           a worker: " + ", ".join(f"{name} {size:.1f} MB" for name, size in found.items()))
    return found


def _median(rounds: list[Figures]) -> Figures:
    columns = {name: statistics.median(asdict(each)[name] for each in rounds) for name in asdict(rounds[0])}
    return Figures(**columns)


def _plain(found: dict[str, dict[int, dict[str, Figures]]]) -> dict[str, Any]:
    return {
        work: {str(c): {label: asdict(each) for label, each in lanes.items()} for c, lanes in by.items()}
        for work, by in found.items()
    }
