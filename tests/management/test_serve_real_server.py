import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from core6.database import embedded
from tests.support.places import ask, connect, place, somebody_elses_postgres, url_of
from tests.support.serving import LIGHT, Serve, manage, refusal, serving
from tests.support.settings import SECRET

ALICE = ("--user", "alice@example.com", "--label", "ci", "--scopes", "*")


@pytest.fixture
def directory() -> Iterator[Path]:
    with place() as parent:
        yield parent / "data"


@pytest.fixture(scope="module")
def real_server() -> Iterator[Path]:
    """Somebody else's Postgres: the data directory of one that these tests own."""
    with somebody_elses_postgres() as directory:
        yield directory


@pytest.fixture(scope="module")
def url(real_server: Path) -> str:
    return url_of(real_server)


@pytest.mark.parametrize("is_quoted", [False, True])
def test_a_wrong_password_is_refused(directory: Path, real_server: Path, is_quoted: bool):
    sockets = str(embedded.socket_directory(real_server))
    host = quote(sockets, safe="") if is_quoted else f"/{sockets}"
    given = {"DATABASE_URL": f"postgres://core6:hidden-word@{host}/core6", "SECRET_KEY": SECRET}
    message = refusal(directory, "serve", "--port", "0", **given)
    assert "password authentication failed" in message
    assert "hidden-word" not in message


def test_a_real_server_is_used_and_left_running(directory: Path, url: str, real_server: Path):
    given = {"DATABASE_URL": url, "SECRET_KEY": SECRET}
    with serving(directory, *LIGHT, **given) as server:
        server.note("kept elsewhere")
        key = server.printed("API key")
        made = manage(directory, "create_api_key", *ALICE, **given).stdout.strip()
        assert server.call("GET", server.annotations, key=made)[0] == 200
        assert server.stop() == 0
    assert not (directory / "postgres").exists()
    kept = "SELECT count(*) FROM annotations_annotation WHERE content = 'kept elsewhere'"
    assert ask(real_server, kept) == (1,)
    with serving(directory, *LIGHT, **given) as server:
        assert server.printed("API key") == key


def test_the_server_can_be_stopped_while_it_waits_for_a_migration(directory: Path, url: str, real_server: Path):
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
