"""`manage.py restore FILE`: what `manage.py backup FILE` wrote, in place of what is there."""

import signal
import subprocess
import tempfile
import time
from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management import CommandError
from django.db import connection

from core6 import data_directory
from core6.accounts.models import Organization
from core6.management import dumps, verification
from core6.management.attached_command import AttachedCommand, prepare
from core6.management.progress import Work, progress
from core6.serving import processes

_CHUNK = 2**20
#: Nobody else may keep a lock: there are no other connections.
_BEGIN = b"""
SET client_min_messages = warning;
BEGIN;
SET LOCAL lock_timeout = '10s';
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
GRANT USAGE ON SCHEMA public TO PUBLIC;
"""
#: A setting of PostgreSQL 17, which its programs write into every script.
_UNKNOWN_BEFORE_17 = b"SET transaction_timeout = 0;\n"
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND usesysid IS NOT NULL AND pid <> pg_backend_pid()"""
#: One that was closed a moment ago is still told.
_OTHERS_SECONDS = 1.0


class Command(AttachedCommand):
    """Replaces everything in one transaction; when anything fails the old data are left as they were."""

    help = "Bring back what `manage.py backup FILE` wrote; the servers of the database have to be stopped for it."

    is_migrating = False  # the database is replaced anyway

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="a file that `manage.py backup` wrote")
        parser.add_argument("--force", action="store_true", help="replace the organizations that are there")

    def handle(self, *args: Any, **options: Any) -> str | None:
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
        dumps.check_is_known(file)
        is_in_use = Organization._meta.db_table in connection.introspection.table_names()
        if is_in_use and not options["force"] and Organization.objects.exists():
            raise CommandError("the database holds organizations already: replace everything in it with --force")
        _refuse_beside_others()
        with progress("Restoring", is_bytes=True) as work:
            _load(file, work)
            connection.close()
            prepare()
            work.now = "statistics"
            with connection.cursor() as cursor:
                for statement in dumps.QUEUE_AGAIN:
                    cursor.execute(statement)
                cursor.execute("ANALYZE")
        return f"The database is that of {file} again. {_verified(verification.of_one_snapshot())}"


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


def commands(file: Path) -> tuple[list[str], list[str]]:
    """Return the command lines of what makes a script of the dump, and of what runs the script."""
    return (
        [dumps.program("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(file)],
        [dumps.program("psql"), "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--file=-"],
    )


def _load(file: Path, work: Work) -> None:
    """Replace everything by what the dump holds, in one transaction that ends only when all of it was read.

    pg_restore could do it alone, but drops only what the dump holds, too.
    """
    to_script, to_run = commands(file.absolute())
    with tempfile.TemporaryFile() as complaints, tempfile.TemporaryFile() as refusals:
        reader = processes.spawn(to_script, on_parent_death=signal.SIGTERM, stdout=subprocess.PIPE, stderr=complaints)
        # Not by spawn, which gives no standard input. Its end rolls back, and comes with the end of this process.
        runner = subprocess.Popen(
            to_run,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=refusals,
            env=dumps.environment(),
            start_new_session=True,
        )
        assert reader.stdout
        assert runner.stdin
        is_damaged = False
        try:
            with suppress(BrokenPipeError):
                _copy(reader.stdout, runner.stdin, work)
                is_damaged = reader.wait() != 0
                if not is_damaged:
                    runner.stdin.write(b"\nCOMMIT;\n")
            work.now = "indexes and constraints"  # which are the end of the script
            with suppress(BrokenPipeError):
                runner.stdin.close()
            runner.wait()
        except KeyboardInterrupt:
            raise CommandError("stopped: nothing was changed", returncode=130) from None
        finally:
            for process in (reader, runner):
                processes.stop(process, signal.SIGTERM, 2.0)
        if is_damaged:
            raise CommandError(f"nothing was changed, since {file} is damaged: take another ({_said(complaints)})")
        if runner.returncode:
            raise CommandError(f"nothing was changed, since the database refuses {file}: {_said(refusals)}")


def _copy(script: IO[bytes], runner: IO[bytes], work: Work) -> None:
    runner.write(_BEGIN)
    is_old = connection.pg_version < 170000  # type: ignore[attr-defined]  # of Postgres alone
    while chunk := script.read(_CHUNK):
        runner.write(chunk.replace(_UNKNOWN_BEFORE_17, b"", 1) if is_old and not work.done else chunk)
        work.done += len(chunk)


def _said(file: IO[bytes]) -> str:
    file.seek(0)
    return dumps.reason(file.read())


def _verified(found: list[verification.Finding]) -> str:
    """Return a line that says that what was restored is sound; raises when it is not."""
    broken = [each.check for each in found if each.is_error]
    if not broken:
        return f"All {len(found)} checks hold."
    if any(check.name == "secrets" for check in broken):
        raise CommandError(
            "the data are restored, but the secrets in them were encrypted with another key: bring back"
            f" {_key_name()} of the server that was backed up, and run `manage.py verify`"
        )
    raise CommandError(
        f"the data are restored, but {len(broken)} of {len(found)} rules are broken: run `manage.py verify`"
    )


def _key_name() -> str:
    if settings.IS_SECRET_KEY_GENERATED:
        return f"{settings.DATA_DIRECTORY / 'secret_key'}, or ENCRYPTION_KEYS,"
    return "SECRET_KEY or ENCRYPTION_KEYS"
