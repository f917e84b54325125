"""The first start is killed, or stopped by a signal, at each moment of it; several servers start at once."""

import signal
import time
from contextlib import ExitStack

import pytest

from core6.database import locks
from tests.support.places import connect, place, somebody_elses_postgres, url_of
from tests.support.serving import LIGHT, Serve, none_survives, serving, wait_until
from tests.support.settings import SECRET

#: Of the demo world there are three users, one organization, one project, one key.
_MADE = ("accounts_user", "accounts_organization", "projects_project", "accounts_personalapikey")

#: What the first start makes, in order (nothing: the directory itself), and some seconds after it.
MOMENTS = pytest.mark.parametrize(
    ("made", "delay"),
    [
        ("", 0.0),
        ("postgres.new-*/PG_VERSION", 0.1),
        ("postgres/postmaster.pid", 0.1),
        ("demo_password", 0.0),
        ("demo_key", 0.0),
        ("demo_key", 0.4),
    ],
)


@MOMENTS
def test_one_that_is_killed_is_begun_again(made: str, delay: float):
    with place() as parent:
        server = Serve(parent / "data")
        try:
            server.reach(lambda: list(parent.glob(f"data/{made}")))
            time.sleep(delay)
            server.process.kill()
            none_survives(parent / "data")
        finally:
            server.end()
        with serving(parent / "data", *LIGHT) as again:
            again.note("works")
            assert list(again.directory.glob("postgres.new-*")) == []


@MOMENTS
def test_a_server_that_is_stopped_ends_cleanly(made: str, delay: float):
    with place() as parent:
        server = Serve(parent / "data")
        try:
            server.reach(lambda: list(parent.glob(f"data/{made}")))
            time.sleep(delay)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(10) == 0, server.stderr
            none_survives(parent / "data")
            assert server.complaints() == []
        finally:
            server.end()


@pytest.mark.parametrize("lock", [locks.MIGRATION.key, locks.PROVISIONING.key])
def test_servers_that_start_at_once_on_an_empty_database_make_one_world(
    lock: str,
):
    """They are held at a lock until each has come to it; what each keeps of its own is elsewhere, as in containers."""
    name = f"empty{lock}"
    with (
        place() as parent,
        somebody_elses_postgres() as real_server,
        connect(real_server) as holder,
        ExitStack() as stack,
    ):
        given = {"DATABASE_URL": url_of(real_server).removesuffix("core6") + name, "SECRET_KEY": SECRET}
        holder.autocommit = True
        holder.execute(f"CREATE DATABASE {name}".encode())
        with connect(real_server, name) as gate:
            gate.execute(f"SELECT pg_advisory_lock({lock})".encode())
            gate.commit()
            servers = [Serve(parent / f"data{n}", *LIGHT, **given) for n in range(3)]
            for server in servers:
                stack.callback(server.end)
            sessions = f"SELECT count(DISTINCT pid) FROM pg_stat_activity WHERE datname = '{name}'".encode()
            wait_until(lambda: holder.execute(sessions).fetchone() == (4,), "sessions of all")
            if lock == locks.PROVISIONING.key:
                waiting = b"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                wait_until(lambda: holder.execute(waiting).fetchone() == (3,), "servers that wait")
        for server in servers:
            server.ready()
        assert sorted(server.printed("API key").startswith("phx_") for server in servers) == [False, False, True]
        assert len({server.printed("project") for server in servers}) == 1
        with connect(real_server, name) as connection:
            counted = [connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() for table in _MADE]
        assert counted == [(3,), (1,), (1,), (1,)]
        assert [server.stop() for server in servers] == [0, 0, 0]
        assert [server.complaints() for server in servers] == [[], [], []]
