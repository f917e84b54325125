"""`manage.py reset`: a database as it was when `manage.py reset --save` kept it, for tests that start over again."""

import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import CommandError
from django.db import ProgrammingError, connection
from psycopg import sql

from core6.backup import dump
from core6.cluster import plan
from core6.database.ownership import refuse_foreign_database
from core6.management.database_command import AttachedCommand
from core6.terminal import program
from core6.terminal.progress import progress

#: Every server has this database. A database cannot be replaced over a connection to itself.
_MAINTENANCE = "postgres"
_LONGEST_NAME = 63
#: Not the background processes of the server, such as a vacuum: they give way by themselves.
_TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(%s) AND usesysid IS NOT NULL"""
_MIGRATIONS = "SELECT app, name FROM django_migrations ORDER BY app, name"

Connection = psycopg.Connection[Any]


class Command(AttachedCommand):
    """Keeps a copy of the database beside it, and puts a copy of that in its place; `serve` runs on meanwhile."""

    help = (
        f"Bring the database back to the state that `{program.NAME} reset --save` kept, ids of later rows included;"
        " beside `serve`, whose requests in flight may get 503 and whose job worker starts again. For tests."
    )

    is_migrating = False  # that takes longer than all the rest
    purpose = "keep or to bring back"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--save", action="store_true", help="keep the present state, in place of the one before")
        parser.add_argument("--lines", action="store_true", help="reset at every line of standard input, until it ends")
        parser.add_argument("--yes", action="store_true", help="required for a database that others may use")

    def _run(self, options: dict[str, Any]) -> str | None:
        try:
            return super()._run(options)
        except ProgrammingError as error:
            raise CommandError(f"the database refuses: {' '.join(str(error).split())}") from error

    def run(self, options: dict[str, Any]) -> str | None:
        name = str(connection.settings_dict["NAME"])
        if (settings.IS_PRODUCTION or not settings.IS_EMBEDDED) and not options["yes"]:
            raise CommandError(
                f"this ends every connection to the database {name} and replaces what is in it:"
                " if that is what you want, add --yes"
            )
        refuse_foreign_database()
        plan.refuse_cluster("reset")
        if len(f"{name}_saved".encode()) > _LONGEST_NAME:
            raise CommandError(
                f"the name of the database {name} is too long to have a copy beside it: use a shorter one"
            )
        with connection.wrap_database_errors, _connected(_MAINTENANCE) as first, _connected(_MAINTENANCE) as second:
            copies = Copies(name, first, second)
            if options["save"]:
                with progress(f"Saving {name}"):
                    taken = _timed(copies.save)
                return f"Saved {name} in {taken} ms. To bring it back: {program.NAME} reset"
            for _ in sys.stdin if options["lines"] else [""]:
                with progress(f"Resetting {name}"):
                    taken = _timed(copies.reset)
                self.stdout.write(f"Reset {name} in {taken} ms.")
                self.stdout.flush()
                copies.clear()  # takes as long again, and who reads the line need not wait for it
        return None


class Copies:
    """The database, its saved copy, and the two names that it has on the way: of the next one and of the last."""

    def __init__(self, name: str, first: Connection, second: Connection) -> None:
        self.name = name
        self.saved, self.next, self.old = f"{name}_saved", f"{name}_next", f"{name}_old"
        self._first, self._second = first, second

    def save(self) -> None:
        """Copy the database as it is; the copy before is there until this one is whole."""
        connection.close()
        self.clear()
        self._copy(self.name, to=self.next)
        with self._first.transaction():
            if self._exists(self.saved):
                self._rename(self.saved, to=self.old)
            self._rename(self.next, to=self.saved)
        self.clear()

    def reset(self) -> None:
        """Put a new copy of the saved one in the place of the database; a kill at any moment leaves one of the two."""
        if not self._exists(self.saved):
            raise CommandError(f"no state of {self.name} was saved: run `{program.NAME} reset --save` first")
        self.clear()
        self._copy(self.saved, to=self.next)
        self._bring_workers_over()
        with self._alone(self.name, self.next), self._first.transaction():
            self._rename(self.name, to=self.old)
            self._rename(self.next, to=self.name)

    def clear(self) -> None:
        """Remove what was replaced."""
        self._drop(self.next, self.old)

    def _bring_workers_over(self) -> None:
        """Let the job workers that run now be known in the copy, and the jobs be done again that ran in it."""
        with connection.cursor() as cursor:
            cursor.execute(_MIGRATIONS)
            present = cursor.fetchall()
            cursor.execute("SELECT id, last_heartbeat FROM procrastinate_workers")
            workers = cursor.fetchall()
        connection.close()
        with _connected(self.next) as copy, copy.transaction():
            if copy.execute(_MIGRATIONS).fetchall() != present:
                raise CommandError(f"the saved state of {self.name} is of another release: save one of this release")
            for statement in dump.QUEUE_AGAIN:
                copy.execute(statement.encode())
            for worker in workers:
                copy.execute(
                    "INSERT INTO procrastinate_workers (id, last_heartbeat) OVERRIDING SYSTEM VALUE VALUES (%s, %s)",
                    worker,
                )
            copy.execute(
                "SELECT setval(pg_get_serial_sequence('procrastinate_workers', 'id'),"
                " greatest(%s, (SELECT last_value FROM procrastinate_workers_id_seq)))",
                [max((key for key, _ in workers), default=1)],
            )

    def _copy(self, name: str, *, to: str) -> None:
        with self._alone(name):
            self._first.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY WAL_LOG").format(
                    sql.Identifier(to), sql.Identifier(name)
                )
            )

    @contextmanager
    def _alone(self, *names: str) -> Iterator[None]:
        """End the connections to databases, also those that come again, until a statement of the block has its lock.

        From then on new ones wait for the end of the statement. No setting keeps them away: a kill would leave it.
        """
        is_over = threading.Event()

        def end() -> None:
            while not is_over.is_set():
                self._second.execute(_TERMINATE, [list(names)])
                is_over.wait(0.005)

        deadline = time.monotonic() + 1
        while self._second.execute(_TERMINATE, [list(names)]).fetchall() and time.monotonic() < deadline:
            time.sleep(0.001)
        thread = threading.Thread(target=end)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _rename(self, name: str, *, to: str) -> None:
        self._first.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(to)))

    def _drop(self, *names: str) -> None:
        for name in names:
            if self._exists(name):
                self._first.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _exists(self, name: str) -> bool:
        return bool(self._first.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone())


@contextmanager
def _connected(name: str) -> Iterator[Connection]:
    """Connect to another database of the server, each statement a transaction of its own."""
    given = {**connection.get_connection_params(), "dbname": name, "autocommit": True}
    for ours in ("server_side_binding", "assume_role", "cursor_factory", "context"):
        given.pop(ours, None)
    with psycopg.connect(**given) as connected:
        yield connected


def _timed(work: Any) -> int:
    began = time.perf_counter()
    work()
    return round((time.perf_counter() - began) * 1000)
