"""What every command does that needs the database: find it or start it, bring it up to date, say errors in one line."""

import time
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.db import OperationalError, connection

from core6 import data_directory, database
from core6.management.world import WorldError

_ONE_MIGRATION_AT_A_TIME = 0x636F726537


class AttachedCommand(BaseCommand):
    """A command that runs with the database at hand: beside `serve`, or alone."""

    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> str | None:
        try:
            if not settings.IS_EMBEDDED:
                return self._run(options)
            with database.attached(settings.DATA_DIRECTORY):
                return self._run(options)
        except (WorldError, data_directory.Unusable) as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(f"the database cannot be reached: {' '.join(str(error).split())}") from error

    def run(self, options: dict[str, Any]) -> str | None:
        """Do the command's work; raise WorldError or CommandError with one sentence."""
        raise NotImplementedError

    def _run(self, options: dict[str, Any]) -> str | None:
        try:
            prepare()
            return self.run(options)
        finally:
            connection.close()


def prepare() -> None:
    """Bring the answering database up to date, and make the secret key of the embedded mode where there is none."""
    if settings.IS_SECRET_KEY_GENERATED:
        settings.SECRET_KEY = data_directory.secret(settings.DATA_DIRECTORY / "secret_key")
    # Two servers may start on one database at once. Who waits in a statement is waited for by an index that is built
    # beside its table's use, so each only asks.
    while not _is_ours_to_migrate():
        time.sleep(0.1)
    try:
        call_command("migrate", verbosity=0, interactive=False)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_ONE_MIGRATION_AT_A_TIME])


def _is_ours_to_migrate() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_ONE_MIGRATION_AT_A_TIME])
        return bool(cursor.fetchone()[0])
