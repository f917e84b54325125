"""The files of the embedded database, which initdb creates."""

import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from core6.database import data_directory, processes
from core6.database.account import Account
from core6.database.data_directory import Unusable
from core6.database.programs import major_version, programs_of
from core6.terminal import program


def create(data: Path, account: Account, *, user: str) -> None:
    """Create the files in `data`, a directory inside the data directory, unless they exist.

    A kill leaves none or all of them, since the last step is a rename. The new password of `user` is written to
    `pgpass` beside them. Raises Unusable, also for files of another major version.
    """
    directory = data.parent
    for leftover in directory.glob("postgres.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    if data.exists():
        _check_version(data)
        return
    password = secrets.token_urlsafe(32)
    data_directory.write_private(directory / "pgpass", f"*:*:*:*:{password}\n")
    handed_over = directory / "password"
    data_directory.write_private(handed_over, password)
    account.give(handed_over)
    # A unique name, since an initdb whose parent was killed may still be writing.
    new = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=directory))
    account.own_directory(new)
    # Without the locale options the encoding on a machine without LANG would be SQL_ASCII.
    initdb = processes.spawn(
        [
            *(str(programs_of(account, directory) / "initdb"), "-D", str(new), "-U", user),
            *("--pwfile", str(handed_over), "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ],
        on_parent_death=signal.SIGKILL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        **account.process_options(),
    )
    _, errors = initdb.communicate()
    handed_over.unlink()
    if initdb.returncode:
        raise Unusable(f"the database could not be created in {new}: {errors.decode(errors='replace').strip()}")
    new.rename(data)


def _check_version(data: Path) -> None:
    major = (data / "PG_VERSION").read_text().strip()
    ours = str(major_version())
    if major != ours:
        raise Unusable(
            f"{data} was written by PostgreSQL {major}, this release brings {ours}: run"
            f" `{program.NAME} backup FILE` with the old release, move {data} away, and run"
            f" `{program.NAME} restore FILE` with this one; or set CORE6_DATA_DIR to another directory"
        )
