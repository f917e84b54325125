"""Shared code of `backup` and `restore`: the programs of Postgres, their environment, and the contents of a dump."""

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

from core6.database.programs import major_version, programs
from core6.terminal.program import NAME

#: Queue jobs again that were running when the copy was made, since their workers are gone. Periodic jobs, which have a
#: queueing lock, are deleted: a successor may be waiting.
QUEUE_AGAIN: Final = (
    "DELETE FROM procrastinate_jobs WHERE status = 'doing' AND queueing_lock IS NOT NULL",
    "UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL WHERE status = 'doing'",
    "DELETE FROM procrastinate_workers",
)

#: The schema that `restore` fills; leftovers of a killed one are dropped.
BESIDE: Final = "public_being_restored"
_ENTRY: Final = re.compile(r"\d+; \d+ \d+ ([A-Z][A-Z ]*) (public|-) ([^\s(]+).*")
#: Kinds of entries whose first name is an object of our migrations, with the kind of that object.
_KINDS: Final = {
    **dict.fromkeys(("TABLE", "TABLE DATA", "DEFAULT", "CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT"), "table"),
    **dict.fromkeys(("SEQUENCE", "SEQUENCE SET", "SEQUENCE OWNED BY"), "sequence"),
    "TRIGGER": "table",
    "FUNCTION": "function",
    "TYPE": "type",
}
#: Kinds of entries that can be skipped without a loss.
_SKIPPED: Final = {"INDEX", "SCHEMA", "COMMENT", "EXTENSION"}


@dataclass(frozen=True)
class Contents:
    """The table of contents of a dump, as listed by pg_restore, and its migrations."""

    listed: str
    migrations: set[tuple[str, str]]


def program(name: str) -> str:
    """Return the path of a Postgres program: the wheel's, or one on PATH if the connected server is newer."""
    server = connection.pg_version // 10000  # type: ignore[attr-defined]  # of Postgres alone
    directory = programs()
    if directory and major_version() >= server:
        return str(directory / name)
    install = f"install the client programs of PostgreSQL {server}"
    found = shutil.which(name)
    if found is None:
        raise CommandError(f"the server is PostgreSQL {server} and there is no {name} on PATH: {install}")
    output = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"(\d+)", output)
    if version is None or int(version[1]) < server:
        raise CommandError(f"the server is PostgreSQL {server} and {found} is of {output.strip() or 'none'}: {install}")
    return found


def environment() -> dict[str, str]:
    """Return the environment that connects a program to the database; others could read arguments."""
    connection.ensure_connection()
    given = {
        option.envvar.decode(): option.val.decode()
        for option in connection.connection.pgconn.info
        if option.envvar and option.val is not None and option.val != option.compiled
    }
    return {**{name: value for name, value in os.environ.items() if not name.startswith("PG")}, **given}


def reason(output: bytes) -> str:
    """Return why a program failed: the first error in its output."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.search("error|fatal", line, re.IGNORECASE)]
    found = next(iter(errors or lines), "no output")
    return re.sub(r"^(\S*(pg_dump|pg_restore|psql)\S*: )+", "", found)


def known_contents(file: Path) -> Contents:
    """Return the contents of a dump; refuse other files, and dumps of other applications and of newer releases."""
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
            f"{file} is no whole backup: name a file that `{NAME} backup` wrote ({reason(listed.stderr)})"
        )
    if b"TABLE DATA public django_migrations" not in listed.stdout:
        raise CommandError(f"{file} is a dump of another application: name a file that `{NAME} backup` wrote")
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
    """Return the entries of rows and of positions of sequences by their names, and refuse foreign objects.

    `made` has the kinds and names of the objects of our migrations. Their definitions in the dump are not used.
    """
    wanted = {}
    for line in listed.splitlines():
        if not line or line.startswith(";"):
            continue
        entry = _ENTRY.fullmatch(line)
        kind, name = (entry[1], entry[3]) if entry else ("entry", line)
        if kind not in _SKIPPED and (_KINDS.get(kind), name) not in made:
            raise CommandError(
                f"nothing was changed, since {file} holds what no release of this application makes ({kind} {name}):"
                " take a backup without it"
            )
        if kind in ("TABLE DATA", "SEQUENCE SET"):
            wanted[name] = line
    return wanted


def _migrations_in(script: str) -> set[tuple[str, str]]:
    """Return the migrations in a script of the table django_migrations."""
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
