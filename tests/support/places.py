"""Data directories of tests. The database of root, which belongs to `nobody`, cannot enter pytest's own."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from core6.database import embedded

NOBODY = 65534


@contextmanager
def place() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="core6-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def somebody_elses_postgres() -> Iterator[Path]:
    """Run a Postgres that is not the one of a data directory; yield its own directory."""
    with place() as parent:
        server = embedded.Server(parent / "elsewhere", is_durable=False)
        server.start()
        yield server.directory
        server.stop()


def url_of(directory: Path) -> str:
    """Return the URL of the Postgres of a directory."""
    password = (directory / "pgpass").read_text().strip().rsplit(":", 1)[1]
    return f"postgres://core6:{quote(password, safe='')}@/{embedded.socket_directory(directory)}/core6"


@contextmanager
def without_rights() -> Iterator[None]:
    """Act as an ordinary account: root may write everywhere."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def connect(directory: Path, name: str = embedded.NAME) -> psycopg.Connection[Any]:
    """Connect to the embedded database of a data directory, as its commands do."""
    where = embedded.connection_settings(directory)
    return psycopg.connect(
        host=where["HOST"],
        port=where["PORT"],
        user=where["USER"],
        dbname=name,
        passfile=where["OPTIONS"]["passfile"],
        connect_timeout=3,
    )


def ask(directory: Path, query: str) -> Any:
    with connect(directory) as connection:
        return connection.execute(query.encode()).fetchone()
