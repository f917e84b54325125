"""The database, and the saved copy of it that `reset` brings back, on one server."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.core.management import CommandError
from django.db import connection
from psycopg import sql

from core6.backup import dump
from core6.terminal import program

#: Every server has this database. A database cannot be replaced over a connection to itself.
_MAINTENANCE = "postgres"
#: Not the background processes of the server, such as a vacuum: they give way by themselves.
_TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(%s) AND usesysid IS NOT NULL"""
_MIGRATIONS = "SELECT app, name FROM django_migrations ORDER BY app, name"

Connection = psycopg.Connection[Any]


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
        with _connection_to(self.next) as copy, copy.transaction():
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
def connected(name: str) -> Iterator[Copies]:
    """Yield the copies of the database, over connections of their own."""
    with connection.wrap_database_errors, _connection_to(_MAINTENANCE) as first, _connection_to(_MAINTENANCE) as second:
        yield Copies(name, first, second)


@contextmanager
def _connection_to(name: str) -> Iterator[Connection]:
    """Connect to another database of the server, each statement a transaction of its own."""
    given = {**connection.get_connection_params(), "dbname": name, "autocommit": True}
    for ours in ("server_side_binding", "assume_role", "cursor_factory", "context"):
        given.pop(ours, None)
    with psycopg.connect(**given) as connected:
        yield connected
