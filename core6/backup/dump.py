"""What `backup` and `restore` share: the programs of Postgres, how they find the embedded, and what a dump holds."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.core.management import CommandError
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from core6.database import embedded

#: Have the jobs done again that ran when a copy was made: it has no worker that could finish them. Those that come
#: round by the clock have a queueing lock, and perhaps a successor that waits.
QUEUE_AGAIN: Final = (
    "DELETE FROM procrastinate_jobs WHERE status = 'doing' AND queueing_lock IS NOT NULL",
    "UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL WHERE status = 'doing'",
    "DELETE FROM procrastinate_workers",
)

#: The schema that `restore` fills; what a killed one left there is of no use.
BESIDE: Final = "public_being_restored"
_ENTRY: Final = re.compile(r"\d+; \d+ \d+ ([A-Z][A-Z ]*) (public|-) ([^\s(]+).*")
#: Kinds of entries that name first what our own migrations make, and what that is.
_KINDS: Final = {
    **dict.fromkeys(("TABLE", "TABLE DATA", "DEFAULT", "CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT"), "table"),
    **dict.fromkeys(("SEQUENCE", "SEQUENCE SET", "SEQUENCE OWNED BY"), "sequence"),
    "TRIGGER": "table",
    "FUNCTION": "function",
    "TYPE": "type",
}
#: Kinds that say nothing of what is lost where they are passed over.
_PASSED_OVER: Final = {"INDEX", "SCHEMA", "COMMENT", "EXTENSION"}


@dataclass(frozen=True)
class Contents:
    """A dump's table of contents, as pg_restore lists it, and the migrations that had run."""

    listed: str
    migrations: set[tuple[str, str]]


def program(name: str) -> str:
    """Return the path of a program that speaks to the connected server: the wheel's, or one on PATH for a newer one."""
    server = connection.pg_version // 10000  # type: ignore[attr-defined]  # of Postgres alone
    directory = embedded.programs()
    if directory and embedded.major_version() >= server:
        return str(directory / name)
    install = f"install the client programs of PostgreSQL {server}"
    found = shutil.which(name)
    if found is None:
        raise CommandError(f"the server is PostgreSQL {server} and there is no {name} on PATH: {install}")
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"(\d+)", told)
    if version is None or int(version[1]) < server:
        raise CommandError(f"the server is PostgreSQL {server} and {found} is of {told.strip() or 'none'}: {install}")
    return found


def environment() -> dict[str, str]:
    """Return the environment by which a program finds the connected database: arguments could be read by everybody."""
    connection.ensure_connection()
    given = {
        option.envvar.decode(): option.val.decode()
        for option in connection.connection.pgconn.info
        if option.envvar and option.val is not None and option.val != option.compiled
    }
    return {**{name: value for name, value in os.environ.items() if not name.startswith("PG")}, **given}


def reason(told: bytes) -> str:
    """Return why a program failed, as the first thing that it complained of."""
    lines = [line.strip() for line in told.decode(errors="replace").splitlines() if line.strip()]
    complaints = [line for line in lines if re.search("error|fatal", line, re.IGNORECASE)]
    found = next(iter(complaints or lines), "it said nothing")
    return re.sub(r"^(\S*(pg_dump|pg_restore|psql)\S*: )+", "", found)


def known_contents(file: Path) -> Contents:
    """Return what a dump holds; refuse a file that is none, one of something else, and one of a newer release."""
    restorer = program("pg_restore")
    listed = subprocess.run(
        [restorer, "--list", file.absolute()], capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    if b"unsupported version" in listed.stderr:
        raise CommandError(
            f"{file} was written by a newer PostgreSQL than reads it here: restore it into a server of that version"
        )
    if listed.returncode:
        raise CommandError(
            f"{file} is no whole backup: name a file that `manage.py backup` wrote ({reason(listed.stderr)})"
        )
    if b"TABLE DATA public django_migrations" not in listed.stdout:
        raise CommandError(f"{file} is a dump of another application: name a file that `manage.py backup` wrote")
    read = subprocess.run(
        [restorer, "--data-only", "--table=django_migrations", "--file=-", file.absolute()],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if read.returncode:
        raise CommandError(f"{file} is damaged: take another backup ({reason(read.stderr)})")
    migrations = _migrations_in(read.stdout.decode(errors="replace"))
    if unknown := sorted(migrations - _known_migrations()):
        raise CommandError(
            f"{file} is of a newer release, which has {'.'.join(unknown[0])} and perhaps more:"
            " restore it with that release"
        )
    return Contents(listed.stdout.decode(errors="replace"), migrations)


def entries_to_restore(file: Path, listed: str, made: set[tuple[str, str]]) -> dict[str, str]:
    """Return the entries of rows and of positions of sequences by their names, and refuse what is not of our making.

    The kinds and names of what our migrations made are in `made`. Of these, a dump's own definitions are not used.
    """
    wanted = {}
    for line in listed.splitlines():
        if not line or line.startswith(";"):
            continue
        entry = _ENTRY.fullmatch(line)
        kind, name = (entry[1], entry[3]) if entry else ("entry", line)
        if kind not in _PASSED_OVER and (_KINDS.get(kind), name) not in made:
            raise CommandError(
                f"nothing was changed, since {file} holds what no release of this application makes ({kind} {name}):"
                " take a backup without it"
            )
        if kind in ("TABLE DATA", "SEQUENCE SET"):
            wanted[name] = line
    return wanted


def _migrations_in(script: str) -> set[tuple[str, str]]:
    """Return which migrations a script, of this one table, puts in."""
    head = re.search(r"^COPY public\.django_migrations \((.+)\) FROM stdin;$", script, re.MULTILINE)
    if head is None:
        return set()
    columns = head[1].split(", ")
    rows = [line.split("\t") for line in script[head.end() + 1 :].split("\n\\.", 1)[0].splitlines()]
    app, name = columns.index("app"), columns.index("name")
    return {(row[app], row[name]) for row in rows if len(row) == len(columns)}


def _known_migrations() -> set[tuple[str, str]]:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    replaced = (pair for migration in loader.disk_migrations.values() for pair in migration.replaces)
    return {*loader.disk_migrations, *replaced}
