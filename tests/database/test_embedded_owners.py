import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from core6.database import data_directory, embedded
from core6.database.attached import attached
from core6.database.data_directory import Unusable
from core6.database.embedded import Server
from core6.settings import BASE_DIR
from tests.support.places import ask, connect, place


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """A directory whose database exists: making one takes long."""
    with place() as parent:
        directory = parent / "data"
        server = Server(directory, is_durable=False)
        server.start()
        server.stop()
        yield directory


@pytest.fixture
def server(prepared: Path) -> Iterator[Server]:
    server = Server(prepared, is_durable=False)
    yield server
    server.stop()


def attached_elsewhere(directory: Path) -> "subprocess.Popen[str]":
    """Start a process that is attached until its standard input ends."""
    code = (
        "import sys; from pathlib import Path; from core6.database.attached import attached\n"
        f"with attached(Path({str(directory)!r})):\n    print('in', flush=True); sys.stdin.read()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_attached_starts_and_stops_the_database(server: Server):
    with attached(server.directory):
        assert server.is_answering()
    assert not server.is_answering()


def test_attached_stops_the_database_after_a_mistake(server: Server):
    with suppress(ZeroDivisionError), attached(server.directory):
        raise ZeroDivisionError
    assert not server.is_answering()


def test_attached_leaves_a_running_database_alone(server: Server):
    server.start()
    with attached(server.directory):
        pass
    assert server.is_answering()


def test_attached_waits_for_an_owner_that_ends(server: Server, monkeypatch):
    lock = data_directory.lock(server.directory)
    monkeypatch.setattr("core6.database.embedded.time.sleep", lambda seconds: lock.close())
    with attached(server.directory):
        assert lock.closed
        assert server.is_answering()


def test_attached_does_not_wait_for_ever(server: Server, monkeypatch):
    monkeypatch.setattr("core6.database.attached.START_SECONDS", 0)
    message = f"process {os.getpid()} owns .*, but its database does not answer: stop that process"
    with (
        closing(data_directory.lock(server.directory)),
        pytest.raises(Unusable, match=message),
        attached(server.directory),
    ):
        pass


def test_the_process_that_started_the_database_does_not_stop_it_under_another(server: Server):
    with attached_elsewhere(server.directory) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        other.stdout.readline()
        with attached(server.directory), connect(server.directory) as connection:
            other.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                other.wait(2)
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert other.wait(10) == 0
    assert not server.is_answering()


def test_a_noted_process_that_is_no_database_is_not_believed(server: Server):
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data}\n1\n5432\n\n\n\n")
    server.start()
    assert ask(server.directory, "SELECT 1") == (1,)


def test_a_noted_process_that_has_no_socket_is_not_believed(server: Server):
    note = embedded.socket_directory(server.directory) / ".s.PGSQL.5432.lock"
    # What a killed database leaves; in a container that is started again, the id is soon another process's.
    with subprocess.Popen(["sleep", "60"], **server.account.process_options()) as other:
        note.write_text(f"{other.pid}\n{server.data}\n1\n5432\n{note.parent}\n")
        try:
            server.start()
            assert ask(server.directory, "SELECT 1") == (1,)
        finally:
            other.kill()


@pytest.mark.parametrize("note", ["", "not a number\n", "999999999999999999999\n", "-1\n", "0\n"])
def test_a_broken_note_is_forgotten(server: Server, note: str):
    (server.data / "postmaster.pid").write_text(note)
    server.start()
    assert ask(server.directory, "SELECT 1") == (1,)


def test_a_database_without_an_owner_is_replaced(server: Server):
    server.start()
    assert server.process is not None
    assert server._lock is not None
    orphan = psutil.Process(server.process.pid)
    server._lock.close()
    heir = Server(server.directory, is_durable=False)
    try:
        heir.start()
        assert heir.process is not None
        assert heir.process.pid != orphan.pid
        assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
        assert ask(server.directory, "SELECT 1") == (1,)
    finally:
        heir.stop()
        with suppress(psutil.NoSuchProcess):
            orphan.kill()


def test_what_a_killed_first_start_left_is_removed(server: Server):
    leftover = server.directory / "postgres.new-1"
    leftover.mkdir()
    (leftover / "PG_VERSION").touch()
    server.start()
    assert not leftover.exists()


def test_the_reason_of_a_failed_start_is_named(server: Server):
    note = server.data / "postgresql.auto.conf"
    before = note.read_text()
    note.write_text("max_connections = many\n")
    try:
        with pytest.raises(Unusable, match=r"the database did not start: .*FATAL.*"):
            server.start()
    finally:
        note.write_text(before)
