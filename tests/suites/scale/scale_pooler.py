"""Everything behind PgBouncer in transaction mode, with two connections to the server for all."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from core6 import settings
from tests.suites.chaos.clients import Call, Line
from tests.suites.chaos.invariants import Allowed
from tests.suites.scale.conftest import Pair
from tests.suites.scale.servers import Pooler
from tests.suites.scale.stage import Machines, figures, pause
from tests.support.serving import manage
from tests.support.settings import SECRET

SIZE = 2
THREADS, EACH = 24, 15
_SESSIONS = "SELECT count(*)::int FROM pg_stat_activity WHERE datname = 'pooled' AND pid <> pg_backend_pid()"


def test_everything_shares_two_connections(pair: Pair, report: Callable[[str], None]):
    parent = pair.parent / "pooled"
    parent.mkdir(mode=0o755)
    pair.primary.ask("CREATE DATABASE pooled")
    pooler = Pooler(parent / "pgbouncer", pair.primary, size=SIZE)
    for name, value in settings.SESSION_LIMITS.items():
        pair.primary.ask(f"ALTER ROLE core6 IN DATABASE pooled SET {name} = '{value}'")
    given = {"DATABASE_URL": pooler.url("pooled"), "IS_BEHIND_POOLER": "true"}
    machines = Machines(parent, pair.primary.url("pooled"), **given)
    try:
        # They bring a new database up to date through the pooler, one of them at a time.
        machines.start_webs(2, "--workers", "2")
        machines.start_workers(1)
        calls = burst(machines)
        assert {call.status for call in calls} <= {200, 201}, [str(call) for call in calls if not call.is_acknowledged]
        most = watch(pair, machines)
        assert most <= SIZE
        with machines.crowd() as crowd:
            pause()
            pooler.kill()
            pause()
            pooler.start()
            pause()
        machines.check(crowd, Allowed(doubtful_503=True))
        done = manage(parent / "look", "doctor", "--json", SECRET_KEY=SECRET, **given)
        assert '"message": "the role has its limits"' in done.stdout, done.stdout
    finally:
        machines.end()
        pooler.end()
    slowest = max(call.seconds for call in calls)
    report(
        f"a burst of {len(calls)} by {THREADS} clients all 2xx, slowest {slowest:.1f} s, sessions at most {most};"
        f" with a pooler that is killed: {figures(crowd.calls)}"
    )


def burst(machines: Machines) -> list[Call]:
    calls: list[Call] = []
    project = machines.projects["Jobs"]
    at, roles = f"/api/projects/{project}", f"/api/organizations/{machines.organization}/roles/"
    reads = (f"{at}/", f"{at}/annotations/", f"{at}/cohorts/", roles, "/api/users/@me/", "/api/projects/")

    def work(number: int) -> None:
        line: Line = machines.line(number % 2, calls)
        for turn in range(EACH):
            if turn % 3:
                line.call("GET", reads[(number + turn) % len(reads)])
            elif turn % 2:
                line.call("POST", f"{at}/annotations/", {"content": f"{number} {turn}", "scope": "project"})
            else:
                line.call("PATCH", f"{at}/", {"name": "Jobs"})
        line.close()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    return calls


def watch(pair: Pair, machines: Machines) -> int:
    """Return how many sessions the server has at most while many call at once."""
    is_over, seen = threading.Event(), [0]

    def look() -> None:
        while not is_over.is_set():
            seen.append(pair.primary.ask(_SESSIONS)[0])

    thread = threading.Thread(target=look)
    thread.start()
    burst(machines)
    is_over.set()
    thread.join()
    return max(seen)
