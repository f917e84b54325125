"""The directory for data that must survive a restart: the embedded database and the generated secrets.

It contains `postgres/` (the database), `run/` (its socket), `pgpass` (its password, which every command reads only
from there), `secret_key`, `demo_key`, `demo_password`, `lab` (if `serve --lab` made the directory; the seconds that
its clock is ahead), the locks `owner.lock`, `users.lock` and `secret_key.lock`, and `postgres.log`.
"""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Final, cast

from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import SimpleLazyObject

from core6.terminal.program import IS_CHECKOUT, ROOT

LAB: Final = "lab"


class Unusable(Exception):
    """The data directory or its database cannot be used; the message says how to solve that."""


def locate(configured: str | None) -> Path:
    """Return the data directory without creating anything.

    `configured` is `CORE6_DATA_DIR`. The default is `.core6` beside manage.py, or in the working directory if Core6 is
    installed from a wheel. For root, if an unprivileged account cannot enter that, it is `/var/lib/core6/<hash>`, whose
    path is in the file `.core6/location`.
    """
    if configured:
        return Path(configured).expanduser().absolute()
    beside = _home() / ".core6"
    with suppress(OSError):
        return Path((beside / "location").read_text().strip())
    if os.geteuid() == 0 and not is_open_to_others(_home()):
        return directory_of_root()
    return beside


def _home() -> Path:
    return ROOT if IS_CHECKOUT else Path.cwd()


def directory_of_root() -> Path:
    """Return the default for root, in a place that the account of the database can enter."""
    return Path("/var/lib/core6") / hashlib.sha256(str(_home()).encode()).hexdigest()[:16]


def is_open_to_others(path: Path) -> bool:
    """Return whether an unprivileged account may enter `path` and every directory above it."""
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents) if part.exists())


def prepare(directory: Path) -> None:
    """Create the directory: everybody may enter it but not list it; each file in it is private."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o711)
        ignored = directory / ".gitignore"
        if not ignored.exists():
            # In place: commands that start at once may all write it.
            with os.fdopen(os.open(ignored, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write("*\n")
        beside = _home() / ".core6"
        if directory == directory_of_root():  # a configured one needs no pointer, and the code may be read-only
            beside.mkdir(exist_ok=True)
            (beside / "location").write_text(f"{directory}\n")
    except OSError as error:
        raise Unusable(
            f"the data directory {directory} cannot be written ({error.strerror}): set CORE6_DATA_DIR to one that can"
        ) from error


def is_lab(directory: Path) -> bool:
    """Return whether `serve --lab` made the directory."""
    return (directory / LAB).exists()


def mark_as_lab(directory: Path) -> None:
    """Note that `serve --lab` makes the directory; raises Unusable for one that is there already without a lab."""
    if not is_lab(directory) and (directory / "postgres").exists():
        raise Unusable(
            f"{directory} has a database that was made without a lab, which could lose its data:"
            " use --fresh, or set CORE6_DATA_DIR to another directory"
        )
    prepare(directory)
    if not is_lab(directory):
        reset_clock(directory)


def reset_clock(directory: Path) -> None:
    """Let the clock of the lab show the time of the machine, as at each start."""
    write_private(directory / LAB, "0\n")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; atomic, so that a kill leaves the old file or the new one."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def read_private(path: Path) -> str | None:
    """Return the text of a file written by write_private, or None if there is none."""
    try:
        return path.read_text().strip() or None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise Unusable(f"{path} belongs to another account: run this command as that account") from error


def secret(path: Path) -> str:
    """Return the secret in the file `path`, which the first call generates."""
    if value := read_private(path):
        return value
    with _lock_file(path.with_name(f"{path.name}.lock")) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # concurrent commands agree on one secret
        value = read_private(path)
        if value is None:
            value = secrets.token_urlsafe(48)
            write_private(path, f"{value}\n")
        return value


def lazy_secret(path: Path) -> str:
    """Return the secret in the file `path`; a missing one is read at first use, which raises ImproperlyConfigured."""
    try:
        return _existing_secret(path)
    except ImproperlyConfigured:
        return cast("str", SimpleLazyObject(partial(_existing_secret, path)))


def _existing_secret(path: Path) -> str:
    try:
        value = read_private(path)
    except Unusable as error:
        raise ImproperlyConfigured(str(error)) from error
    if not value:
        raise ImproperlyConfigured(f"{path} is missing: start the server or run provision, which create it")
    return value


def _lock_file(path: Path) -> IO[str]:
    # A process that can open the file can lock it.
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")


@contextmanager
def using(directory: Path) -> Iterator[Callable[[], None]]:
    """Mark this process as a user of the database; the result is a function that waits for all other users."""
    with _lock_file(directory / "users.lock") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield lambda: fcntl.flock(file, fcntl.LOCK_EX)


def lock(directory: Path) -> IO[str]:
    """Lock the directory as its only owner; the lock ends with the returned file, or with this process.

    Raises BlockingIOError while another process owns it.
    """
    file = _lock_file(directory / "owner.lock")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    file.seek(0)
    file.truncate()
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def owner(directory: Path) -> str:
    """Return the process id of the directory's owner, as text for a message."""
    with suppress(OSError):
        return (directory / "owner.lock").read_text().strip() or "unknown"
    return "unknown"
