"""What the doctor finds of the database: its release, its limits, its replica and its nodes."""

import time
from collections.abc import Iterator
from typing import Final

from django.conf import settings
from django.db import Error, connection, connections

from core6.database import cluster, replica
from core6.database.missing_migrations import missing_and_unknown_migrations
from core6.diagnosis.checks import EXAMPLES
from core6.diagnosis.findings import Question, Report, State
from core6.diagnosis.queries import database_name, select
from core6.diagnosis.texts import and_more, duration, error_line
from core6.terminal import program
from core6.terminal.sizes import size

#: How long a node may take to answer.
CONNECT_SECONDS: Final = 2
OLDEST_POSTGRES: Final = 15
SKEW_SECONDS, WORST_SKEW_SECONDS = 1.0, 30.0
USED_CONNECTIONS, MOST_USED_CONNECTIONS = 0.8, 0.95
#: How much a replica may still have to replay: less is the ordinary delay.
MOST_BEHIND_BYTES = 16 * 1024**2


def _database() -> Iterator[Report]:
    ((number, version),) = select(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version')"
    )
    message = f"{database_name()}, PostgreSQL {version.split()[0]}"
    if number < OLDEST_POSTGRES * 10000:
        yield "bad", message, f"Use PostgreSQL {OLDEST_POSTGRES} or later."
    else:
        yield "ok", message, ""


def _migrations() -> Iterator[Report]:
    missing, unknown = missing_and_unknown_migrations()
    if missing:
        named = ", ".join([*missing[:EXAMPLES], *and_more(len(missing), EXAMPLES)])
        yield "bad", f"not applied: {named}", f"Start `serve` of this release, or run `{program.NAME} migrate`."
    if unknown:
        named = ", ".join([*unknown[:EXAMPLES], *and_more(len(unknown), EXAMPLES)])
        yield "warning", f"of another release: {named}", "Run the release that the database was last used by."
    if not (missing or unknown):
        yield "ok", "all applied", ""


def _connections() -> Iterator[Report]:
    ((used, most),) = select(
        "SELECT (SELECT sum(numbackends)::int FROM pg_stat_database),"
        " current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    )
    message = f"{used} of {most} used"
    advice = "Raise max_connections, or lower WEB_WORKERS; see who holds them in pg_stat_activity."
    state: State = "bad" if used > most * MOST_USED_CONNECTIONS else "ok"
    state = "warning" if state == "ok" and used > most * USED_CONNECTIONS else state
    yield state, message, "" if state == "ok" else advice


def _pooler() -> Iterator[Report]:
    """Look whether the role has the limits that no session behind a pooler can set."""
    if not settings.IS_BEHIND_POOLER:
        return
    rows = select(
        "SELECT name FROM pg_settings WHERE name = ANY(%s) AND reset_val = '0' ORDER BY name",
        [list(settings.SESSION_LIMITS)],
    )
    missing = [name for (name,) in rows]
    if missing:
        role = connection.settings_dict["USER"]
        lines = " ".join(f"ALTER ROLE {role} SET {name} = '{settings.SESSION_LIMITS[name]}';" for name in missing)
        advice = f"Run, and let the pooler connect anew (RECONNECT): {lines}"
        yield "warning", f"nothing ends what takes too long: the role has no {', '.join(missing)}", advice
    else:
        yield "ok", "the role has its limits", ""


def _replica() -> Iterator[Report]:
    """Look at the replica, if there is one: reachable, still a replica, of this primary, how far behind."""
    if not settings.REPLICA_URL:
        return
    where = database_name(replica.ALIAS)
    try:
        with connections[replica.ALIAS].cursor() as cursor:
            cursor.execute(
                "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn(),"
                " CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END"
            )
            is_replica, position, is_paused = cursor.fetchone()
    except Error as error:
        advice = "See that it runs and lets this machine in; until then every read goes to the primary."
        yield "warning", f"{where} cannot be reached: {error_line(error)}", advice
        return
    finally:
        connections[replica.ALIAS].close()
    if not is_replica:
        advice = "Make it a replica of the primary again (pg_rewind, pg_basebackup), or unset REPLICA_URL."
        yield "bad", f"{where} is no replica: it was promoted, or never was one, and takes writes of its own", advice
        return
    # The primary is read after the replica, so it can only be further.
    ((behind,),) = select(
        "SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), %s)::float8 END",
        [position],
    )
    message = f"{where}, behind by {size(behind or 0)}"
    if behind is None:
        yield "bad", "DATABASE_URL itself names a replica, which takes no writes", "Set it to the primary."
    elif behind < 0:
        yield "bad", f"{where} is the replica of another server", "Set REPLICA_URL to a replica of DATABASE_URL."
    elif is_paused:
        yield "warning", f"{message}: its replay is paused", "Run SELECT pg_wal_replay_resume() there."
    elif behind > MOST_BEHIND_BYTES:
        yield "warning", message, "See its load and network; what is not there yet is read on the primary."
    else:
        yield "ok", message, ""


def _nodes() -> Iterator[Report]:
    """Look whether the workers of a cluster answer the coordinator."""
    found = cluster.nodes()
    if found:
        select("SELECT set_config('citus.node_connection_timeout', %s, true)", [f"{CONNECT_SECONDS}s"])
    for name, port in found:
        ((is_answering,),) = select("SELECT citus_check_connection_to_node(%s, %s)", [name, port])
        if is_answering:
            yield "ok", f"{name}:{port} answers", ""
        else:
            advice = "Start it, or its standby: until then the persons of its projects cannot be read or computed."
            yield "bad", f"{name}:{port} does not answer the coordinator", advice


def _clock() -> Iterator[Report]:
    began = time.time()
    ((there,),) = select("SELECT extract(epoch FROM clock_timestamp())::float8")
    ended = time.time()
    # The time that the query itself took is no difference.
    skew = max(0.0, began - there, there - ended)
    message = f"this machine and the database differ by {duration(skew) if skew >= 60 else f'{skew:.1f} s'}"
    state: State = "bad" if skew > WORST_SKEW_SECONDS else "warning" if skew > SKEW_SECONDS else "ok"
    yield state, message, "" if state == "ok" else "Let both machines set their clock by the network (NTP)."


QUESTIONS: Final = (
    Question("database", _database),
    Question("migrations", _migrations),
    Question("connections", _connections),
    Question("pooler", _pooler),
    Question("replica", _replica),
    Question("nodes", _nodes),
    Question("clock", _clock),
)
