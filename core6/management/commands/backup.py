"""`manage.py backup FILE`: one file that holds everything in the database."""

import fcntl
import os
import signal
import subprocess
import tempfile
from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError

from core6.backup import dump as dumps
from core6.database import processes
from core6.management.database_command import AttachedCommand
from core6.terminal import program
from core6.terminal.progress import progress
from core6.terminal.sizes import size


class Command(AttachedCommand):
    """Dumps one snapshot, beside `serve` or alone."""

    help = "Write everything in the database to FILE, for `restore`; also beside a running server."

    is_migrating = False  # a backup is taken before that
    purpose = "back up"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="a new file; it holds secrets, so only its owner can read it")
        parser.add_argument("--force", action="store_true", help="replace FILE where it exists")

    def handle(self, *args: Any, **options: Any) -> str | None:
        file = Path(options["file"])
        # A killed process could not remove what it began.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            return super().handle(*args, **options)
        except KeyboardInterrupt:
            raise CommandError(f"stopped: {file} was not written", returncode=130) from None
        finally:
            signal.signal(signal.SIGTERM, before)

    def run(self, options: dict[str, Any]) -> str:
        file = Path(options["file"])
        _refuse_to_overwrite(file, is_forced=options["force"])
        part = file.with_name(f"{file.name}.part")
        with _opened(part) as descriptor:
            try:
                _dump(part)
                os.fsync(descriptor.fileno())
                _refuse_to_overwrite(file, is_forced=options["force"])
                part.replace(file)
            except BaseException as error:
                part.unlink(missing_ok=True)
                if isinstance(error, OSError):
                    raise CommandError(f"{file} cannot be written ({error.strerror}): choose another FILE") from error
                raise
            written = size(os.fstat(descriptor.fileno()).st_size)
        return f"{file} holds the database ({written}). To bring it back: {program.NAME} restore {file}\n{key_advice()}"


def _refuse_to_overwrite(file: Path, *, is_forced: bool) -> None:
    if os.path.isdir(file):  # unlike pathlib's, these take no offence at what may not be looked at  # noqa: PTH112
        raise CommandError(f"{file} is a directory: name a file in it")
    if os.path.lexists(file) and not is_forced:
        raise CommandError(f"{file} exists: choose another FILE, or replace it with --force")


def _opened(part: Path) -> Any:
    """Open a file that only its owner can read, for one backup at a time; one that was begun before is begun anew."""
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise CommandError(f"{part} cannot be written ({error.strerror}): choose another FILE") from error
    opened = os.fdopen(descriptor, "r+b")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        opened.close()
        raise CommandError(f"{part} is being written by another backup: wait for it, or choose another FILE") from None
    os.fchmod(descriptor, 0o600)
    os.ftruncate(descriptor, 0)
    return opened


def command(file: Path) -> list[str]:
    """Return the command line that dumps the connected database; where that is stands in the environment."""
    # Who owns what is decided where it is restored. Without a question for a password, which nobody would see. By name,
    # not as standard output: there pg_dump writes everything twice, and the end of the file could be lost unnoticed.
    options = ("--format=custom", "--encoding=UTF8", "--no-owner", "--no-privileges", "--no-password")
    # What belongs to the server, and not to what it keeps.
    but = ("--no-publications", "--no-subscriptions", f"--exclude-schema={dumps.BESIDE}")
    # No other extension than the one that we use, which every server has: a dump with Citus could be restored nowhere.
    extension = "--extension=plpgsql"
    return [dumps.program("pg_dump"), *options, *but, extension, f"--file={file.absolute()}"]


def _dump(file: Path) -> None:
    with tempfile.TemporaryFile() as errors, progress("Writing the backup", is_bytes=True) as work:
        dump = processes.spawn(
            command(file),
            on_parent_death=signal.SIGTERM,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=dumps.environment(),
        )
        try:
            while dump.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    dump.wait(0.1)
                work.done = file.stat().st_size
        finally:
            processes.stop(dump, signal.SIGTERM, 2.0)
        if dump.returncode:
            errors.seek(0)
            raise CommandError(f"the database could not be dumped: {dumps.reason(errors.read())}")


def key_advice() -> str:
    """Return which key to keep beside the file: without it the secrets in the file cannot be read."""
    if settings.ENCRYPTION_KEYS:
        kept = "the value of ENCRYPTION_KEYS"
    elif settings.IS_SECRET_KEY_GENERATED:
        kept = f"{settings.DATA_DIRECTORY / 'secret_key'}"
    else:
        kept = "the value of SECRET_KEY"
    return f"Keep {kept} in another place: the secret tokens of projects are encrypted with it, and it is not in FILE."
