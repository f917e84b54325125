"""A replica that is up to date, behind, dead, frozen, and at last promoted."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core6.diagnosis.findings import Finding
from tests.suites.chaos.clients import Line
from tests.suites.chaos.invariants import NOTHING, Allowed
from tests.suites.chaos.stage import KEY
from tests.suites.scale.conftest import Pair
from tests.suites.scale.readers import Readers
from tests.suites.scale.stage import Machines, figures, pause
from tests.support.serving import manage, wait_until
from tests.support.settings import SECRET

_COUNT = """
SELECT coalesce(sum(calls), 0)::int, coalesce(sum(total_exec_time), 0) FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = 'replicas') AND {}"""
_OF_WEB = "query NOT LIKE '%procrastinate%'"
ROUNDS = 150


@pytest.fixture(scope="module")
def machines(pair: Pair) -> Iterator[Machines]:
    parent = pair.parent / "replicas"
    parent.mkdir(mode=0o755)
    pair.primary.ask("CREATE DATABASE replicas")
    made = Machines(parent, pair.primary.url("replicas"), REPLICA_URL=pair.replica.url("replicas"))
    try:
        made.start_webs(2, "--workers", "1")
        made.start_workers(1)
        yield made
    finally:
        made.end()


def count(server: Any, which: str = _OF_WEB) -> tuple[int, float]:
    calls, spent = server.ask(_COUNT.format(which))
    return calls, spent


def is_read_from(machines: Machines, pair: Pair) -> bool:
    """Return whether a list that nobody has read before is read on the replica."""
    project = machines.projects["Doomed"]
    pair.replica.ask("SELECT pg_stat_statements_reset()")
    machines.get(f"/api/projects/{project}/annotations/?limit=1&offset={time.monotonic_ns() % 50}")
    return count(pair.replica, "query LIKE '%annotations_annotation%'")[0] > 0


def test_reads_leave_the_primary(machines: Machines, pair: Pair, report: Callable[[str], None]):
    project = machines.projects["Doomed"]
    pair.primary.ask(
        "INSERT INTO annotations_annotation (organization_id, project_id, content, creation_type, updated_at, deleted,"
        f" scope) SELECT organization_id, id, 'note ' || n, 'USR', now(), false, 'project' FROM projects_project,"
        f" generate_series(1, 2000) n WHERE id = {project}",
        "replicas",
    )
    pair.primary.ask("VACUUM ANALYZE annotations_annotation", "replicas")
    at = f"/api/projects/{project}/annotations/"
    (first,) = machines.get(f"{at}?limit=1")["results"]
    alone = machines.web("--workers", "1", REPLICA_URL="").ready()
    pair.replica.catch_up(pair.primary)
    kinds = {
        "list": lambda number: f"{at}?limit=100&offset={number}",
        "retrieve": lambda number: f"{at}{first['id'] - number}/",
        "search": lambda number: f"{at}?search=note%20{number}&limit=100",
    }
    lines = []
    for kind, path in kinds.items():
        spent: list[tuple[int, float, int, float]] = []
        for address in (alone.url.removeprefix("http://"), machines.address()):
            line = Line(address, KEY, [])
            assert line.call("GET", path(ROUNDS)).status == 200
            for server in (pair.primary, pair.replica):
                server.ask("SELECT pg_stat_statements_reset()")
            for number in range(ROUNDS):
                call = line.call("GET", path(number))
                assert call.status == 200, str(call)
            line.close()
            spent.append((*count(pair.primary), *count(pair.replica)))
        (here, time_here, _, _), (rest, time_rest, there, time_there) = spent
        assert spent[0][2] == 0
        assert there >= ROUNDS
        lines.append(
            f"{kind}: primary {here / ROUNDS:.1f} -> {rest / ROUNDS:.1f} statements,"
            f" {time_here / ROUNDS:.2f} -> {time_rest / ROUNDS:.2f} ms, replica {there / ROUNDS:.1f},"
            f" {time_there / ROUNDS:.2f} ms"
        )
    report("; ".join(lines))


def test_own_writes_are_seen_while_the_replica_lags(machines: Machines, pair: Pair, report: Callable[[str], None]):
    own = [machines.projects[f"Client {number}"] for number in range(4, 8)]
    addresses = [machines.address(place) for place in range(2)]
    pair.replica.ask("SELECT pg_stat_statements_reset()")
    with Readers(addresses, KEY, own, machines.organization) as readers:
        for _ in range(3):
            pair.replica.ask("SELECT pg_wal_replay_pause()")
            pause()
            pair.replica.ask("SELECT pg_wal_replay_resume()")
            pause()
    assert readers.stale == []
    report(f"{readers.figures()}; statements at the replica: {count(pair.replica)[0]}")


def test_the_replica_is_killed_and_comes_back(machines: Machines, pair: Pair, report: Callable[[str], None]):
    own = [machines.projects[f"Client {number}"] for number in range(4, 6)]
    addresses = [machines.address(place) for place in range(2)]
    with machines.crowd() as crowd, Readers(addresses, KEY, own, machines.organization) as readers:
        pair.replica.kill()
        pause()
        assert machines.get("/_readyz") == {"status": "ok"}
        pair.replica.launch()
        began = time.monotonic()
        wait_until(lambda: is_read_from(machines, pair), "reads at the replica", 30)
        back = time.monotonic() - began
        with pair.replica.frozen():
            pause()
            pause()
            pause()
            pause()
    assert readers.stale == []
    machines.check(crowd, NOTHING)
    assert all(call.status != 503 for call in crowd.calls)
    report(f"{readers.figures()}; {figures(crowd.calls)}; read from again {back:.1f} s after its start")


def doctor(machines: Machines, **given: str) -> Finding:
    urls = {"DATABASE_URL": machines.given["DATABASE_URL"], "REPLICA_URL": machines.given["REPLICA_URL"]}
    code = (
        "import django; django.setup(); from core6.diagnosis import doctor as d;"
        "(f,) = [f for q in d.QUESTIONS if q.name == 'replica' for f in d.answer(q)]; print(f.state, '|', f.message)"
    )
    done = manage(machines.parent / "look", "shell", "-v", "0", "-c", code, SECRET_KEY=SECRET, **urls, **given)
    state, _, text = done.stdout.strip().partition(" | ")
    return Finding("replica", state, text)  # type: ignore[arg-type]  # one of the states


def test_the_doctor_knows_the_replica(machines: Machines, pair: Pair):
    assert doctor(machines).state == "ok"
    pair.replica.ask("SELECT pg_wal_replay_pause()")
    assert "paused" in doctor(machines).message
    pair.replica.ask("SELECT pg_wal_replay_resume()")


def test_the_replica_is_promoted(machines: Machines, pair: Pair, report: Callable[[str], None]):
    """With a synchronous replica every acknowledged write is there."""
    pair.primary.configure(synchronous_standby_names="*")
    allowed = Allowed(resets=True, absence=True, doubtful_503=True)
    with machines.crowd() as crowd:
        pause()
        pause()
        for worker in machines.workers:
            worker.kill()
        pair.primary.kill()
        began = time.monotonic()
        pair.replica.ask("SELECT pg_promote()")
        machines.direct = pair.replica.url("replicas")
        machines.given["DATABASE_URL"] = machines.direct
        assert "takes writes of its own" in doctor(machines).message
        machines.given["REPLICA_URL"] = ""
        for place in range(2):
            machines.restart_web(place)
        machines.start_workers(1)
        served = time.monotonic() - began
    machines.check(crowd, allowed)
    report(f"{figures(crowd.calls)}; served again after {served:.1f} s")
