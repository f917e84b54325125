"""What the doctor finds of what the database does: open transactions, long statements, sizes, vacuums."""

from collections.abc import Iterator
from typing import Final

from core6.diagnosis.checks import EXAMPLES, IDLE_SECONDS
from core6.diagnosis.findings import Question, Report
from core6.diagnosis.queries import integrity_finding, select
from core6.diagnosis.texts import duration
from core6.terminal import program
from core6.terminal.sizes import size

#: Seconds after which a statement counts as too long.
STATEMENT_RUNS_SECONDS = 60
#: So few dead rows of a table do not matter, whatever their share.
FEW_DEAD_ROWS = 50_000
DEAD_SHARE = 0.4


def _idle_transactions() -> Iterator[Report]:
    rows = select(
        "SELECT pid, usename, application_name, extract(epoch FROM clock_timestamp() - state_change)::float8,"
        " count(*) OVER () FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND state LIKE 'idle in transaction%%'"
        " AND state_change < clock_timestamp() - make_interval(secs => %s) ORDER BY state_change LIMIT %s",
        [IDLE_SECONDS, EXAMPLES],
    )
    for pid, user, application, age, _ in rows:
        message = (
            f"process {pid} of {user} ({application or 'no name'})"
            f" has done nothing in its transaction for {duration(age)}"
        )
        yield "bad", message, f"It keeps its locks. End it: SELECT pg_terminate_backend({pid})."
    if rows and rows[0][4] > len(rows):
        yield "bad", f"{rows[0][4]} in all", "Find the program that leaves them open."
    if not rows:
        yield "ok", f"none longer than {IDLE_SECONDS} s", ""


def _long_statements() -> Iterator[Report]:
    # The statement itself is not shown: values may stand in it.
    rows = select(
        "SELECT pid, usename, upper(substring(query FROM '^\\s*([A-Za-z]+)')),"
        " extract(epoch FROM clock_timestamp() - query_start)::float8, pg_blocking_pids(pid), count(*) OVER ()"
        " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'"
        " AND backend_type = 'client backend'"
        " AND query_start < clock_timestamp() - make_interval(secs => %s) ORDER BY query_start LIMIT %s",
        [STATEMENT_RUNS_SECONDS, EXAMPLES],
    )
    for pid, user, verb, age, blockers, _ in rows:
        message = f"process {pid} of {user} has run a statement ({verb or 'unknown'}) for {duration(age)}"
        if blockers:
            others = ", ".join(str(each) for each in blockers[:EXAMPLES])
            advice = f"If that does not end by itself: SELECT pg_terminate_backend({blockers[0]})."
            yield "warning", f"{message}: it waits for process {others}", advice
        else:
            yield "warning", message, f"If nobody needs it: SELECT pg_cancel_backend({pid})."
    if rows and rows[0][5] > len(rows):
        yield "warning", f"{rows[0][5]} in all", "See pg_stat_activity for the others."
    if not rows:
        yield "ok", f"none longer than {STATEMENT_RUNS_SECONDS} s", ""


def _sizes() -> Iterator[Report]:
    ((whole,),) = select("SELECT pg_database_size(current_database())")
    rows = select(
        "SELECT c.oid::regclass::text, pg_total_relation_size(c.oid) FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm')"
        " AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_t%%'"
        " ORDER BY 2 DESC, 1 LIMIT %s",
        [EXAMPLES],
    )
    named = ", ".join(f"{name} {size(count)}" for name, count in rows)
    yield "ok", f"{size(whole)}; the largest tables: {named or 'none'}", ""


def _vacuum() -> Iterator[Report]:
    ((is_on,),) = select("SELECT current_setting('autovacuum')::boolean AND current_setting('track_counts')::boolean")
    if not is_on:
        yield "bad", "autovacuum is off for the whole server", "Set autovacuum = on and track_counts = on."
    off = select(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND EXISTS (SELECT FROM"
        " pg_options_to_table(reloptions) WHERE option_name = 'autovacuum_enabled' AND NOT option_value::boolean)"
        " ORDER BY 1"
    )
    for (name,) in off[:EXAMPLES]:
        yield "warning", f"autovacuum is off for {name}", f"ALTER TABLE {name} RESET (autovacuum_enabled)."
    dead = select(
        "SELECT relid::regclass::text, n_dead_tup, n_live_tup FROM pg_stat_user_tables WHERE n_dead_tup > %s"
        " AND n_dead_tup >= %s * (n_dead_tup + n_live_tup) ORDER BY n_dead_tup DESC, 1 LIMIT %s",
        [FEW_DEAD_ROWS, DEAD_SHARE, EXAMPLES],
    )
    for name, gone, alive in dead:
        advice = f"End transactions that are open for long, then VACUUM {name}."
        yield "warning", f"{name} has {gone} dead rows beside {alive} living ones", advice
    if is_on and not off and not dead:
        yield "ok", "autovacuum is on, no table is full of dead rows", ""


def _growth() -> Iterator[Report]:
    found = [integrity_finding(name) for name in ("revisions", "answers")]
    for each in found:
        if each.count:
            advice = "Start a worker: its regular jobs put this in order." if each.name == "answers" else ""
            advice = advice or f"Run `{program.NAME} verify` for which they are."
            yield "warning", f"{each.message} ({each.count})", advice
    if not any(each.count for each in found):
        yield "ok", "revisions and kept answers are within bounds", ""


QUESTIONS: Final = (
    Question("idle transactions", _idle_transactions),
    Question("long statements", _long_statements),
    Question("sizes", _sizes),
    Question("vacuum", _vacuum),
    Question("growth", _growth),
)
