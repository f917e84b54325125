"""Cohorts of many persons: how fast they are loaded and computed, beside DuckDB that reads the same JSON.

Runs the real thing: `serve` with its job worker, `provision`, and the API. Every count must be the one of plain Python.
A calculation is whole: selecting the persons and storing the members. The first one is given in milliseconds on the
wall, the next ones and DuckDB's in milliseconds of processor time, which other processes disturb less.
"""

import json
import statistics
import subprocess
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import psutil

from core6.settings import BASE_DIR
from tests.suites.benchmarks.goals import Goal
from tests.suites.benchmarks.people import EVENTS_EACH, TRIES, Try, write
from tests.support.places import place
from tests.support.serving import MANAGE, Serve, environment, serving, wait_until

_LONGEST_SECONDS = 900.0
_ROUNDS = 5


def main() -> None:
    """Measure each size named, print tables, and write the figures to a file."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, action="append", help="how many; may be repeated (100000, 1000000)")
    parser.add_argument("--json", type=Path, help="the figures, for machines")
    options = parser.parse_args()
    found = [measure(persons) for persons in options.persons or [100_000, 1_000_000]]
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


#: How fast a calculation is to be beside DuckDB; the others are only reported.
_LEAST = {"range": 0.35, "event, 3 times or more": 0.15, "event with a condition": 0.15, "nested": 0.45}


def goals(found: dict[str, Any]) -> Iterator[Goal]:
    """Yield the goals of one size."""
    for row in found["cohorts"]:
        figures = {"core6": f"{row['again_ms']:.0f} ms", "DuckDB": f"{row['duckdb_ms']:.0f} ms"}
        yield Goal(f"cohort {row['name']}", row["ratio"], "DuckDB", _LEAST.get(row["name"]), figures=figures)
    most = max(row["written_again"] for row in found["cohorts"])
    figures = {"core6": f"wrote {most} rows"}
    yield Goal("cohort unchanged", most, "", most=0, figures=figures, said="writes nothing")


def measure(persons: int) -> dict[str, Any]:
    """Load persons and compute every cohort; print a table."""
    with place() as directory:
        counts = write(directory, persons)
        with serving(directory / "data", "--workers", "1") as server:
            project, key, loaded = _load(server, directory)
            events = persons * EVENTS_EACH
            print(f"\n{persons:,} persons, {events:,} events: loaded in {loaded['seconds']:.0f} s", end=" ")
            print(f"({(persons + events) / loaded['seconds']:,.0f} a second), {loaded['memory_mb']:.0f} MB")
            peer = _Peer(directory)
            rows = [_compare(server, peer, each, project, key, counts[each.name]) for each in TRIES]
            memory = _job_worker(server).memory_full_info().uss / 2**20
            peak = _peak_mb(_job_worker(server).pid)
        print(f"the job worker's memory: {memory:.0f} MB now, {peak:.0f} MB at most")
        return {"persons": persons, "events": events, "load": loaded, "worker_peak_mb": peak, "cohorts": rows}


def _load(server: Serve, directory: Path) -> tuple[int, str, dict[str, float]]:
    people = {"persons": "persons.ndjson", "events": "events.ndjson"}
    world = {
        "users": [{"email": "bench@example.com"}],
        "organizations": [
            {
                "name": "Bench",
                "members": {"bench@example.com": "owner"},
                "projects": [{"name": "Bench", **people}],
            }
        ],
        "api_keys": [{"label": "bench", "user": "bench@example.com", "scopes": ["*"]}],
    }
    (directory / "world.json").write_text(json.dumps(world))
    began = time.monotonic()
    with (directory / "provisioned.json").open("wb") as output:
        command = [*MANAGE, "provision", str(directory / "world.json")]
        given = environment(server.directory, {})
        process = subprocess.Popen(command, cwd=BASE_DIR, env=given, stdout=output)
        # The system's own figure of a child's peak begins with ours.
        peak = 0.0
        while process.poll() is None:
            with suppress(OSError, IndexError):
                peak = _peak_mb(process.pid)
            time.sleep(0.1)
    assert process.returncode == 0, "provisioning failed"
    made = json.loads((directory / "provisioned.json").read_text())
    figures = {"seconds": time.monotonic() - began, "memory_mb": peak}
    return made["organizations"]["Bench"]["projects"]["Bench"]["id"], made["api_keys"]["bench"]["value"], figures


def _compare(server: Serve, peer: "_Peer", each: Try, project: int, key: str, expected: int) -> dict[str, Any]:
    """Compute a cohort for the first time, and several times more beside the peer; every count must be right."""
    path = f"/api/projects/{project}/cohorts/"
    status, cohort = server.call("POST", path, {"name": each.name, "filters": each.filters}, key)
    assert status == 201, cohort
    first = _calculation(server, f"{path}{cohort['id']}/", key, expected)
    ours, theirs, spent = [], [], []
    for _ in range(_ROUNDS):
        theirs.append(peer.materialise(each, expected))
        before = _database_seconds(server)
        status, answer = server.call("PATCH", f"{path}{cohort['id']}/", {"filters": each.filters}, key)
        assert status == 200, answer
        ours.append(_calculation(server, f"{path}{cohort['id']}/", key, expected))
        spent.append((_database_seconds(server) - before) * 1000)
    again, duck = statistics.median(spent), statistics.median(theirs)
    print(f"  {each.name:24} {expected:>9,}   first {first['query_ms']:>6} ms   again {again:>6.0f} ms", end="   ")
    print(f"DuckDB {duck:>6.0f} ms   x{duck / again:.2f}", flush=True)
    return {
        "name": each.name,
        "count": expected,
        "first_ms": first["query_ms"],
        "again_ms": again,
        "duckdb_ms": duck,
        "ratio": duck / again,
        "written_again": max(row["written_rows"] for row in ours),
    }


def _calculation(server: Serve, path: str, key: str, expected: int) -> dict[str, Any]:
    """Wait until the cohort is computed; return the statement's figures from its history."""

    def done() -> Any:
        _, body = server.call("GET", path, key=key)
        return None if body["is_calculating"] else body

    cohort = wait_until(done, "calculation", _LONGEST_SECONDS)
    assert cohort["count"] == expected, (cohort["name"], cohort["count"], expected)
    _, history = server.call("GET", f"{path}calculation_history/?limit=1", key=key)
    statement: dict[str, Any] = history["results"][0]["queries"][0]
    return statement


def _database_seconds(server: Serve) -> float:
    """Return the processor seconds of the database, of its processes that have ended, too."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    postmaster = next(child for child in children if child.name() == "postgres")
    total = 0.0
    for each in (postmaster, *postmaster.children()):
        with suppress(psutil.Error):
            times = each.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _job_worker(server: Serve) -> psutil.Process:
    children = psutil.Process(server.process.pid).children(recursive=True)
    return next(child for child in children if child.cmdline()[-1:] == ["worker"])


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


class _Peer:
    """DuckDB on two threads, its tables holding the same JSON as ours."""

    def __init__(self, directory: Path) -> None:
        self.database = duckdb.connect(str(directory / "peer.duckdb"), config={"threads": 2})
        now = datetime.now(UTC).replace(tzinfo=None)
        self.database.execute(f"CREATE MACRO moment() AS TIMESTAMP '{now}'")
        self.database.execute(
            "CREATE TABLE people AS SELECT uuid() AS uuid, distinct_ids[1] AS name, properties FROM read_json("
            f"'{directory}/persons.ndjson', columns={{distinct_ids: 'VARCHAR[]', properties: 'JSON'}})"
        )
        self.database.execute(
            "CREATE TABLE events AS SELECT p.uuid AS person, event, timestamp, e.properties FROM read_json("
            f"'{directory}/events.ndjson', columns={{distinct_id: 'VARCHAR', event: 'VARCHAR',"
            " timestamp: 'TIMESTAMP', properties: 'JSON'}) e JOIN people p ON p.name = e.distinct_id"
        )

    def materialise(self, each: Try, expected: int) -> float:
        """Write the persons who meet a criterion into a table; return the milliseconds of processor time."""
        began = time.process_time()
        self.database.execute(f"CREATE OR REPLACE TABLE members AS SELECT uuid FROM people WHERE {each.duckdb}")
        seconds = time.process_time() - began
        counted = self.database.execute("SELECT count(*) FROM members").fetchone()
        assert counted == (expected,), (each.name, counted, expected)
        return seconds * 1000


if __name__ == "__main__":
    main()
