"""The base of commands that need the database: they find or start it, migrate it, and show errors in one line."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg.pq import TransactionStatus

from core6.database import data_directory, locks
from core6.database.missing_migrations import missing_migrations
from core6.management.base import CommandBase, running_database
from core6.management.commands.migrate import Migrate
from core6.terminal.progress import Work, progress


class AttachedCommand(CommandBase):
    """A command that needs the database, of a running `serve` or started by itself."""

    #: Whether the database is migrated first.
    is_migrating: ClassVar[bool] = True
    #: For a command that requires an existing database, a verb for the error message, such as "verify".
    purpose: ClassVar[str | None] = None

    def handle(self, *args: Any, **options: Any) -> str | None:
        if self.purpose and settings.IS_EMBEDDED and not (settings.DATA_DIRECTORY / "postgres").exists():
            raise CommandError(f"there is no database in {settings.DATA_DIRECTORY}: nothing to {self.purpose}")
        with running_database():
            return self._run(options)

    def run(self, options: dict[str, Any]) -> str | None:
        """Run the command; raises WorldError or CommandError with one sentence."""
        raise NotImplementedError

    def _run(self, options: dict[str, Any]) -> str | None:
        try:
            with unlimited():
                self.make_ready()
                return self.run(options)
        finally:
            connection.close()

    def make_ready(self) -> None:
        """Migrate the database, unless the command must not change it."""
        if self.is_migrating:
            prepare()


def prepare() -> None:
    """Migrate the running database, and generate the secret key of the embedded mode if there is none."""
    if settings.IS_SECRET_KEY_GENERATED:
        data_directory.secret(settings.DATA_DIRECTORY / "secret_key")
    with progress("Bringing the database up to date") as work, migrating_alone(work):
        call_command(MigrateWithProgress(work), verbosity=0, interactive=False)


class MigrateWithProgress(Migrate):
    """Shows the current migration."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work

    def migration_progress_callback(self, action: str, migration: Any = None, fake: bool = False) -> None:
        if action == "apply_start":
            self._work.now = str(migration)


def refuse_other_release() -> None:
    """Refuse a database with missing migrations; for commands that must not change it."""
    if missing_migrations():
        raise CommandError("the database is not of this release: start this one, or run provision, and again")


@contextmanager
def migrating_alone(work: Work) -> Iterator[None]:
    """Hold the migration lock, since two servers may start on one database at once.

    It is a transaction lock on a separate connection, since a pooler does not support session locks. Other processes
    poll for it: CREATE INDEX CONCURRENTLY would wait for their snapshot if they waited in a statement. The holder is
    idle between statements, which blocks nothing.
    """
    holder = connection.copy()
    try:
        holder.set_autocommit(False)
        while not _is_locked(holder):
            work.now = "waiting for another process that does it"
            holder.rollback()
            time.sleep(0.1)
        work.now = ""
        yield
    finally:
        holder.close()


def _is_locked(holder: Any) -> bool:
    is_locked = locks.MIGRATION.try_acquire(using=holder)
    with holder.cursor() as cursor:
        # Afterwards, so that no snapshot is held, which CREATE INDEX CONCURRENTLY would wait for.
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    return is_locked


@contextmanager
def unlimited() -> Iterator[None]:
    """Remove the time limits of requests inside the block: behind a pooler they are settings of the role."""
    if not settings.IS_BEHIND_POOLER:
        yield
        return
    with connection.execute_wrapper(_without_limits):
        yield


def _without_limits(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    is_first = connection.connection.info.transaction_status == TransactionStatus.IDLE
    if connection.in_atomic_block and is_first:
        for name in settings.SESSION_LIMITS:
            execute(f"SET LOCAL {name} = 0", None, False, context)
    return execute(sql, params, many, context)
