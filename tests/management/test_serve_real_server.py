import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest

from core6 import database
from core6.management import attached_command, provisioning
from tests.management.places import ask, connect, place
from tests.management.serving import LIGHT, Serve, manage, refusal, serving, wait_until
from tests.test_settings import SECRET

ALICE = ("--user", "alice@example.com", "--label", "ci", "--scopes", "*")

#: Of the demo world there are three users, one organization, one project, one key.
_MADE = ("accounts_user", "accounts_organization", "projects_project", "accounts_personalapikey")


@pytest.fixture
def directory() -> Iterator[Path]:
    with place() as parent:
        yield parent / "data"


@pytest.fixture(scope="module")
def real_server() -> Iterator[Path]:
    """Somebody else's Postgres: the data directory of one that these tests own."""
    with place() as parent:
        server = database.Server(parent / "elsewhere", is_durable=False)
        server.start()
        yield server.directory
        server.stop()


@pytest.fixture(scope="module")
def url(real_server: Path) -> str:
    password = (real_server / "pgpass").read_text().strip().rsplit(":", 1)[1]
    return f"postgres://core6:{quote(password, safe='')}@/{database.socket_directory(real_server)}/core6"


@pytest.mark.parametrize("is_quoted", [False, True])
def test_a_wrong_password_is_refused(directory: Path, real_server: Path, is_quoted: bool):
    sockets = str(database.socket_directory(real_server))
    host = quote(sockets, safe="") if is_quoted else f"/{sockets}"
    given = {"DATABASE_URL": f"postgres://core6:hidden-word@{host}/core6", "SECRET_KEY": SECRET}
    told = refusal(directory, "serve", "--port", "0", **given)
    assert "password authentication failed" in told
    assert "hidden-word" not in told


def test_a_real_server_is_used_and_left_running(directory: Path, url: str, real_server: Path):
    given = {"DATABASE_URL": url, "SECRET_KEY": SECRET}
    with serving(directory, *LIGHT, **given) as server:
        server.note("kept elsewhere")
        key = server.told("API key")
        made = manage(directory, "create_api_key", *ALICE, **given).stdout.strip()
        assert server.call("GET", server.annotations, key=made)[0] == 200
        assert server.stop() == 0
    assert not (directory / "postgres").exists()
    assert ask(real_server, "SELECT content FROM annotations_annotation") == ("kept elsewhere",)
    with serving(directory, *LIGHT, **given) as server:
        assert server.told("API key") == key


@pytest.mark.parametrize("lock", [attached_command._ONE_MIGRATION_AT_A_TIME, provisioning._ONE_AT_A_TIME])
def test_servers_that_start_at_once_on_an_empty_database_make_one_world(
    directory: Path, url: str, real_server: Path, lock: int
):
    """They are held at a lock until each has come to it; what each keeps of its own is elsewhere, as in containers."""
    name = f"empty{lock}"
    given = {"DATABASE_URL": url.removesuffix("core6") + name, "SECRET_KEY": SECRET}
    with connect(real_server) as holder, ExitStack() as stack:
        holder.autocommit = True
        holder.execute(f"CREATE DATABASE {name}".encode())
        with connect(real_server, name) as gate:
            gate.execute(f"SELECT pg_advisory_lock({lock})".encode())
            gate.commit()
            servers = [Serve(directory.with_name(f"data{n}"), *LIGHT, **given) for n in range(3)]
            for server in servers:
                stack.callback(server.end)
            sessions = f"SELECT count(DISTINCT pid) FROM pg_stat_activity WHERE datname = '{name}'".encode()
            wait_until(lambda: holder.execute(sessions).fetchone() == (4,), "sessions of all")
            if lock == provisioning._ONE_AT_A_TIME:
                waiting = b"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                wait_until(lambda: holder.execute(waiting).fetchone() == (3,), "servers that wait")
        for server in servers:
            server.ready()
        assert sorted(server.told("API key").startswith("phx_") for server in servers) == [False, False, True]
        assert len({server.told("project") for server in servers}) == 1
        with connect(real_server, name) as connection:
            counted = [connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() for table in _MADE]
        assert counted == [(3,), (1,), (1,), (1,)]
        assert [server.stop() for server in servers] == [0, 0, 0]
        assert [server.complaints() for server in servers] == [[], [], []]


def test_it_can_be_stopped_while_it_waits_for_a_migration(directory: Path, url: str, real_server: Path):
    server = None
    with connect(real_server) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS django_migrations (id int)")
        connection.execute("LOCK TABLE django_migrations")
        try:
            server = Serve(directory, DATABASE_URL=url, SECRET_KEY=SECRET)
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"
            server.reach(lambda: connection.execute(waiting).fetchone())
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(10) == 0, server.stderr
            assert server.complaints() == []
        finally:
            connection.rollback()
            if server:
                server.end()
