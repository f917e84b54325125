import os
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from core6.database import data_directory, embedded
from core6.database.data_directory import Unusable
from core6.database.embedded import Server
from tests.support.places import ask, connect, place, without_rights


@pytest.fixture
def directory() -> Iterator[Path]:
    with place() as parent:
        yield parent / "data"


@pytest.fixture
def server(directory: Path) -> Iterator[Server]:
    server = Server(directory, is_durable=False)
    yield server
    server.stop()


def test_a_server_keeps_its_data(server: Server):
    server.start()
    with connect(server.directory) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
    server.stop()
    assert not server.is_answering()
    server.start()
    assert ask(server.directory, "SELECT number FROM kept") == (42,)


def test_text_is_utf8_whatever_the_machine_speaks(server: Server, monkeypatch):
    for name in ("LANG", "LC_ALL", "LC_CTYPE", "LC_COLLATE"):
        monkeypatch.delenv(name, raising=False)
    server.start()
    facts = "SELECT pg_encoding_to_char(encoding), datlocprovider, datlocale FROM pg_database WHERE datname = 'core6'"
    assert ask(server.directory, facts) == ("UTF8", "b", "C.UTF-8")
    assert ask(server.directory, "SELECT upper('ä€🦔')") == ("Ä€🦔",)


def test_only_its_owner_can_read_the_secrets(server: Server):
    before = os.umask(0)
    try:
        server.start()
        data_directory.secret(server.directory / "secret_key")
    finally:
        os.umask(before)
    # Where the account of root's database cannot enter the installed programs, it has a copy, which is no secret.
    found = [path for path in server.directory.iterdir() if not path.name.startswith("binaries-")]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (server.directory, *found)}
    assert modes == {
        "data": 0o711,
        ".gitignore": 0o600,
        "owner.lock": 0o600,  # an account that can open it can lock it
        "pgpass": 0o600,
        "postgres": 0o700,
        "postgres.log": 0o600,
        "run": 0o700,
        "secret_key": 0o600,
        "secret_key.lock": 0o600,
    }


def test_nobody_enters_without_the_password(server: Server):
    server.start()
    host = str(embedded.socket_directory(server.directory))
    for password in (None, "wrong"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host=host, user="core6", dbname="core6", password=password, passfile=os.devnull)


def test_a_second_owner_is_refused_while_the_first_lives(server: Server):
    server.start()
    other = Server(server.directory)
    with pytest.raises(BlockingIOError):
        other.start()
    assert data_directory.owner(server.directory) == str(os.getpid())
    server.stop()
    other.start()
    other.stop()


def test_data_of_another_major_version_is_refused(server: Server):
    server.data.mkdir(parents=True)
    (server.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(Unusable, match=r"was written by PostgreSQL 12, this release brings \d+: "):
        server.start()
    assert [path.name for path in server.data.iterdir()] == ["PG_VERSION"]


def test_data_that_is_no_database_is_refused(server: Server):
    server.data.mkdir(parents=True)
    with pytest.raises(Unusable):
        server.start()


def test_a_refused_directory_is_given_back(server: Server):
    server.data.mkdir(parents=True)
    with pytest.raises(Unusable):
        server.start()
    server.data.rmdir()
    other = Server(server.directory, is_durable=False)
    other.start()
    other.stop()


def test_a_directory_that_the_database_of_root_cannot_enter_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    tmp_path.chmod(0o700)
    with pytest.raises(Unusable, match=r"the account 'nobody'.* cannot enter .*set CORE6_DATA_DIR"):
        Server(tmp_path / "data").start()


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(Unusable, match=r"file/data cannot be written \(Not a directory\): set CORE6_DATA_DIR"):
        Server(tmp_path / "file" / "data").start()


def test_a_read_only_directory_is_refused(directory: Path):
    directory.mkdir(mode=0o555)
    with without_rights(), pytest.raises(Unusable, match="cannot be written"):
        Server(directory / "data").start()


def test_a_long_path_has_its_socket_elsewhere(directory: Path):
    long = directory / ("x" * 100)
    server = Server(long, is_durable=False)
    sockets = embedded.socket_directory(long)
    try:
        server.start()
        assert ask(long, "SELECT 1") == (1,)
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    finally:
        server.stop()
        sockets.rmdir()
    assert not sockets.is_relative_to(long)


@pytest.mark.parametrize("length", [1, 60, 87, 88, 200])
def test_every_socket_path_fits(length: int):
    sockets = embedded.socket_directory(Path("/") / ("x" * (length - 1)))
    assert len(os.fsencode(sockets / ".s.PGSQL.5432")) <= 103  # of macOS; Linux has 107


def test_two_long_paths_have_two_sockets():
    assert embedded.socket_directory(Path("/a" * 100)) != embedded.socket_directory(Path("/b" * 100))


def test_a_link_in_the_place_of_the_socket_is_not_followed(directory: Path, tmp_path: Path):
    long = directory / ("x" * 100)
    sockets = embedded.socket_directory(long)
    target = tmp_path / "precious"
    target.mkdir()
    before = target.stat()
    sockets.symlink_to(target)
    server = Server(long, is_durable=False)
    try:
        with pytest.raises(Unusable):
            server.start()
    finally:
        server.stop()
        sockets.unlink()
    assert (target.stat().st_uid, target.stat().st_mode) == (before.st_uid, before.st_mode)
