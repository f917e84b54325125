"""Several web servers and several job workers on one database, started and ended one after the other."""

from collections.abc import Callable

from tests.suites.chaos.invariants import Allowed
from tests.suites.scale.conftest import Pair
from tests.suites.scale.stage import Machines, figures, pause
from tests.support.serving import wait_until

#: Notes each job that is put in and each time that one is begun: those that are done leave no row.
_WATCH = """
CREATE TABLE seen (job bigint, task text, timestamp text, what text);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO seen VALUES (NEW.id, NEW.task_name, NEW.args ->> 'timestamp',
        CASE WHEN TG_OP = 'INSERT' THEN 'put in' ELSE 'begun' END);
    RETURN NULL;
END $$;
CREATE TRIGGER see_insert AFTER INSERT ON procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION see();
CREATE TRIGGER see_begin AFTER UPDATE ON procrastinate_jobs FOR EACH ROW
    WHEN (OLD.status = 'todo' AND NEW.status = 'doing') EXECUTE FUNCTION see();
"""
_PERIODIC = """
SELECT count(*)::int, coalesce(sum(times - 1), 0)::int
FROM (SELECT count(*) AS times FROM seen WHERE timestamp IS NOT NULL AND what = 'put in' GROUP BY task, timestamp) t"""
_BEGUN = """
SELECT count(*)::int, coalesce(sum(times - 1), 0)::int
FROM (SELECT count(*) AS times FROM seen WHERE what = 'begun' GROUP BY job) t"""
_CONCURRENCY = 2
#: So many turns of periodic jobs are looked at: one comes every ten seconds, with more each minute.
PERIODS = 6


def test_a_rolling_restart_and_two_kills(pair: Pair, report: Callable[[str], None]):
    parent = pair.parent / "machines"
    parent.mkdir(mode=0o755)
    pair.primary.ask("CREATE DATABASE machines")
    machines = Machines(parent, pair.primary.url("machines"))
    try:
        # All at once on a database that has no table yet: one of them migrates.
        machines.start_webs(2, "--workers", "1")
        pair.primary.ask(_WATCH, "machines")
        machines.start_workers(3)
        with machines.crowd() as crowd:
            pause()
            for place in range(2):
                machines.restart_web(place)
                machines.restart_worker(0)
                pause()
            machines.restart_web(0, is_killed=True)
            machines.restart_worker(0, is_killed=True)
            pause()
        machines.check(crowd, Allowed(resets=True, absence=True))
        wait_until(lambda: pair.primary.ask(_PERIODIC, "machines")[0] >= PERIODS, "periodic jobs")
        periods, twice = pair.primary.ask(_PERIODIC, "machines")
        begun, again = pair.primary.ask(_BEGUN, "machines")
    finally:
        machines.end()
    assert twice == 0
    # A process that was killed or stopped may have had so many, which another began again.
    assert again <= 3 * _CONCURRENCY
    report(f"{figures(crowd.calls)}; {periods} periodic jobs, 0 of them twice; {begun} jobs, {again} begun again")
