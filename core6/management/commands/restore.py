"""`manage.py restore FILE`: what `manage.py backup FILE` wrote, in place of what is there."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError
from django.db import connection

from core6.accounts.models import Organization
from core6.backup import dump
from core6.backup import restore as restoration
from core6.cluster import plan
from core6.database import data_directory
from core6.diagnosis import integrity
from core6.diagnosis.findings import Finding
from core6.management.database_command import AttachedCommand, prepare
from core6.terminal import program
from core6.terminal.progress import progress

_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND usesysid IS NOT NULL AND pid <> pg_backend_pid()"""
#: A connection is still listed for a moment after it was closed.
_OTHERS_SECONDS = 1.0


class Command(AttachedCommand):
    """Replaces everything at once, at the end; when anything fails the old data are left as they were."""

    help = "Bring back what `backup FILE` wrote; stop the servers of the database before."

    is_migrating = False  # the database is replaced anyway

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help=f"a file that `{program.NAME} backup` wrote")
        parser.add_argument("--force", action="store_true", help="replace the organizations that are there")

    def handle(self, *args: Any, **options: Any) -> str | None:
        if settings.IS_BEHIND_POOLER:  # the tables are made in a session whose search path is another
            raise CommandError(
                "DATABASE_URL is of a pooler: give the address of the database, without IS_BEHIND_POOLER"
            )
        file = Path(options["file"])
        try:
            with file.open("rb") as opened:
                opened.read(1)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}") from error
        if settings.IS_EMBEDDED and settings.DATA_DIRECTORY.exists():
            directory = settings.DATA_DIRECTORY
            try:
                data_directory.lock(directory).close()
            except BlockingIOError:
                owner = data_directory.owner(directory)
                raise CommandError(f"process {owner} uses {directory}: stop it, and restore then") from None
            except OSError as error:
                raise CommandError(f"{error.filename}: {error.strerror}") from error
        return super().handle(*args, **options)

    def run(self, options: dict[str, Any]) -> str:
        file = Path(options["file"])
        contents = dump.known_contents(file)
        plan.refuse_cluster("restore")
        is_in_use = Organization._meta.db_table in connection.introspection.table_names()
        if is_in_use and not options["force"] and Organization.objects.exists():
            raise CommandError("the database holds organizations already: replace everything in it with --force")
        _refuse_beside_others()
        with progress("Restoring", is_bytes=True) as work:
            connection.close()  # it may have prepared statements of tables that go
            restoration.replace_everything(file, contents, work, _refuse_beside_others)
            connection.close()
            prepare()
            work.now = "maintenance"
            with connection.cursor() as cursor:
                for statement in dump.QUEUE_AGAIN:
                    cursor.execute(statement)
                cursor.execute("VACUUM (ANALYZE)")
        return f"The database is that of {file} again. {integrity_summary(integrity.of_one_snapshot())}"


def _refuse_beside_others() -> None:
    deadline = time.monotonic() + _OTHERS_SECONDS
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_OTHERS)
            (others,) = cursor.fetchone()
        if not others:
            return
        if time.monotonic() > deadline:
            raise CommandError(f"the database has other connections ({others}): stop `serve` and whatever else uses it")
        time.sleep(0.05)


def integrity_summary(found: list[Finding]) -> str:
    """Return a line that says that what was restored is sound; raises when it is not."""
    broken = [each for each in found if each.state == "bad"]
    if not broken:
        return f"All {len(found)} checks hold."
    if any(each.name == "secrets" for each in broken):
        raise CommandError(
            "the data are restored, but the secrets in them were encrypted with another key: bring back"
            f" {_key_name()} of the server that was backed up, and run `{program.NAME} verify`"
        )
    raise CommandError(
        f"the data are restored, but {len(broken)} of {len(found)} rules are broken: run `{program.NAME} verify`"
    )


def _key_name() -> str:
    if settings.IS_SECRET_KEY_GENERATED:
        return f"{settings.DATA_DIRECTORY / 'secret_key'}, or ENCRYPTION_KEYS,"
    return "SECRET_KEY or ENCRYPTION_KEYS"
