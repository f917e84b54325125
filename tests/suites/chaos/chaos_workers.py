"""The job worker is killed, or has too much to do; what the cohorts say in the end is right all the same."""

import json
import random
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from core6.database.embedded import NAME
from tests.support.cohorts.people import all_of, leaf
from tests.support.places import ask, connect, place
from tests.support.serving import Serve, child, serving, wait_until

#: What is promised: seconds after the death of a worker until its calculations have been made again.
TAKEN_OVER_WITHIN = 60.0
INTERRUPTED = "The worker ended in the midst of it"
PERSONS = 30_000
WORLD = """
users: [{email: ci@example.com}]
organizations:
  - name: Globex
    members: {ci@example.com: owner}
    projects: [{name: Shop, persons: persons.ndjson, events: events.ndjson}]
api_keys: [{label: ci, user: ci@example.com, scopes: ["*"], value: phx_fixed_for_the_tests_of_ci}]
"""


def person_id(number: int) -> str:
    return str(uuid.UUID(int=0x0195A0C0_0000_7000_8000_000000000000 + number))


def visits(number: int) -> int:
    return 1 if number % 5 == 0 else 3


def filters(third: int, below: int = PERSONS) -> dict[str, Any]:
    often: dict[str, Any] = {"type": "behavioral", "value": "performed_event_multiple", "key": "visit"}
    often |= {"event_type": "events", "operator": "gte", "operator_value": 2, "time_value": 30, "time_interval": "day"}
    return all_of(leaf("third", value=str(third)), leaf("number", "lt", below), often)


def expected(third: int, below: int = PERSONS) -> set[str]:
    return {person_id(number) for number in range(third, below, 3) if visits(number) >= 2}


def write_world(directory: Path) -> Path:
    with (directory / "persons.ndjson").open("w") as persons, (directory / "events.ndjson").open("w") as events:
        for number in range(PERSONS):
            known = {"third": str(number % 3), "number": number}
            line = {"distinct_ids": [f"p{number}"], "uuid": person_id(number), "properties": known}
            persons.write(f"{json.dumps(line)}\n")
            for day in range(visits(number)):
                event = {"distinct_id": f"p{number}", "event": "visit", "timestamp": f"-{day + 1}d"}
                events.write(f"{json.dumps(event)}\n")
    (directory / "world.yaml").write_text(WORLD)
    return directory / "world.yaml"


class Shop:
    """A running server whose project has many persons, and the calls about its cohorts."""

    def __init__(self, server: Serve) -> None:
        self.server = server
        self.cohorts = server.path("cohorts")

    def call(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.server.call(method, path, body)
        assert answer[0] == status, answer
        return answer[1]

    def create(self, given: dict[str, Any]) -> int:
        return int(self.call("POST", self.cohorts, {"name": "visitors", "filters": given}, 201)["id"])

    def change(self, cohort: int, given: dict[str, Any]) -> dict[str, Any]:
        changed: dict[str, Any] = self.call("PATCH", f"{self.cohorts}{cohort}/", {"filters": given})
        return changed

    def read(self, cohort: int) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"{self.cohorts}{cohort}/")
        return found

    def history(self, cohort: int) -> list[dict[str, Any]]:
        page = self.call("GET", f"{self.cohorts}{cohort}/calculation_history/?limit=1000")
        assert page["next"] is None
        runs: list[dict[str, Any]] = page["results"]
        return runs

    def members(self, cohort: int) -> set[str]:
        found: list[str] = []
        path: str | None = f"{self.cohorts}{cohort}/persons/?limit=1000"
        while path:
            page = self.call("GET", path)
            found += [person["id"] for person in page["results"]]
            path = page["next"] and page["next"].removeprefix(self.server.url)
        assert len(found) == len(set(found))
        return set(found)

    def settle(self, cohorts: Iterable[int], seconds: float = TAKEN_OVER_WITHIN) -> None:
        left = set(cohorts)

        def is_all_done() -> bool:
            left.difference_update([cohort for cohort in left if not self.read(cohort)["is_calculating"]])
            return not left

        wait_until(is_all_done, f"end of the calculations of {cohorts}", seconds)

    def is_queue_empty(self) -> bool:
        waiting = "SELECT count(*) FROM procrastinate_jobs WHERE lock LIKE 'cohort:%' AND status IN ('todo', 'doing')"
        return bool(ask(self.server.directory, waiting) == (0,))

    def is_right(self, cohort: int, persons: set[str]) -> None:
        """Check all that a cohort says that is up to date."""
        body = self.read(cohort)
        assert (body["is_calculating"], body["errors_calculating"]) == (False, 0), body
        assert (body["count"], body["version"]) == (len(persons), body["pending_version"])
        assert self.members(cohort) == persons
        runs = self.history(cohort)
        assert all(run["is_completed"] for run in runs), runs
        assert (runs[0]["is_successful"], runs[0]["count"]) == (True, len(persons))

    def worker(self) -> psutil.Process:
        """Return the job worker once it takes jobs."""
        process: psutil.Process = wait_until(lambda: child(self.server, "worker"), "job worker")
        started = f"SELECT 1 FROM procrastinate_workers WHERE last_heartbeat > to_timestamp({process.create_time()})"
        wait_until(lambda: ask(self.server.directory, started), "job worker that takes jobs")
        return process

    def unfinished(self, cohort: int) -> set[str]:
        """Return the ids of the runs that have begun and not ended; a commit that is under way is awaited."""
        with connect(self.server.directory) as connection:
            connection.execute("LOCK TABLE cohorts_calculation IN SHARE MODE")
            rows = connection.execute(
                "SELECT id::text FROM cohorts_calculation WHERE cohort_id = %s AND finished_at IS NULL", [cohort]
            )
            return {row[0] for row in rows}

    @contextmanager
    def in_the_midst(self, cohort: int, given: dict[str, Any]) -> Iterator[None]:
        """Change a cohort and be where the calculation of that has begun and does not end: nobody can write members."""
        with connect(self.server.directory) as connection:
            connection.execute("LOCK TABLE cohorts_cohortmember IN SHARE MODE")
            self.change(cohort, given)
            wait_until(lambda: self.unfinished(cohort), "run")
            yield
            connection.rollback()

    def kill_worker(self, worker: psutil.Process, cohort: int, *, after: float) -> set[str]:
        """Kill the worker after so many seconds; return the ids of the runs that it leaves behind."""
        time.sleep(after)
        worker.kill()
        psutil.wait_procs([worker], timeout=15)
        return self.unfinished(cohort)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with place() as parent, serving(parent / "data", "--provision", str(write_world(parent))) as server:
        yield Shop(server)


def test_a_killed_worker_costs_no_calculation(shop: Shop):
    """Kills soon after a change of a cohort, every other one surely in the midst; some are changed once more."""
    chance = random.Random(20260315)
    cohorts = [shop.create(filters(0)) for _ in range(6)]
    shop.settle(cohorts)
    usual = max(run["duration_seconds"] for cohort in cohorts for run in shop.history(cohort))
    wanted, begun = {}, {}
    began = time.monotonic()
    for number, cohort in enumerate(cohorts):
        worker, after = shop.worker(), chance.uniform(0, usual)
        if number % 2:
            with shop.in_the_midst(cohort, filters(1)):
                begun[cohort] = shop.kill_worker(worker, cohort, after=after)
            assert begun[cohort]
        else:
            shop.change(cohort, filters(1))
            begun[cohort] = shop.kill_worker(worker, cohort, after=after)
        wanted[cohort] = expected(1)
        if number % 3 == 2:
            shop.change(cohort, filters(2))
            wanted[cohort] = expected(2)
    shop.settle(cohorts, TAKEN_OVER_WITHIN - (time.monotonic() - began))
    wait_until(shop.is_queue_empty, "end of the jobs")
    for cohort in cohorts:
        shop.is_right(cohort, wanted[cohort])
        assert {run["id"] for run in shop.history(cohort) if run["error"] == INTERRUPTED} >= begun[cohort]


def test_a_connection_that_is_lost_while_a_change_waits_costs_no_calculation(shop: Shop):
    cohort = shop.create(filters(0))
    shop.settle([cohort])
    waiting = "SELECT pid FROM pg_locks WHERE relation = 'cohorts_cohortmember'::regclass AND NOT granted"
    lose = f"SELECT pg_terminate_backend(pid) FROM ({waiting}) AS waiting"
    with shop.in_the_midst(cohort, filters(1)):
        shop.change(cohort, filters(2))
        wait_until(lambda: ask(shop.server.directory, lose), "calculation that waits")
    shop.settle([cohort])
    # The job that was put back runs once more.
    wait_until(shop.is_queue_empty, "end of the jobs")
    shop.is_right(cohort, expected(2))


def test_of_many_changes_at_once_the_last_counts_and_few_are_computed(shop: Shop):
    cohort = shop.create(filters(0))
    shop.settle([cohort])
    with ThreadPoolExecutor(7) as pool:
        changes = [pool.submit(shop.change, cohort, filters(number % 3, 9_000 + number)) for number in range(49)]
    assert len({change.result()["pending_version"] for change in changes}) == 49
    last = shop.change(cohort, filters(1, 10_000))
    answered = datetime.now(UTC)
    shop.settle([cohort])
    wait_until(shop.is_queue_empty, "end of the jobs")
    shop.is_right(cohort, expected(1, 10_000))
    assert shop.read(cohort)["version"] == last["pending_version"] == 51
    runs = shop.history(cohort)
    assert sum(datetime.fromisoformat(run["started_at"]) > answered for run in runs) <= 2
    assert len(runs) < 20


def test_a_worker_waits_for_a_database_that_is_away_and_says_so_in_a_line():
    with place() as parent, serving(parent / "data", "--workers", "1") as server:
        shop = Shop(server)
        worker = shop.worker()
        with connect(server.directory, "postgres") as other:
            other.autocommit = True
            other.execute(f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS false")
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [NAME])
            wait_until(lambda: '"job_worker_waits"' in server.stderr, "line about the database")
            other.execute(f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS true")
        assert "Traceback" not in server.stderr
        shop.settle([shop.create(all_of(leaf("plan", value="pro")))], 20)
        assert shop.worker().pid == worker.pid
