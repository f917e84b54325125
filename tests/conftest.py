"""The tests' Postgres and the tests' cast.

Alice owns Acme, Bob administers it, Carol is a member; Dave owns Globex and must see nothing of Acme. Each of
the two organizations has two projects.
"""

import json
import logging
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import Client
from django.test.client import ClientHandler
from django.test.utils import CaptureQueriesContext
from xdist.scheduler import LoadFileScheduling

from core6.accounts import keys
from core6.accounts.models import Level, Membership, Organization, PersonalAPIKey, User
from core6.database.embedded import Server, connection_settings
from core6.security.masking import mask_key
from projects.models import Project
from tests.support import cluster
from tests.support.key_text import lines_with_keys
from tests.support.sampling import IS_EVERY_CASE

#: The example of the pytest plugin needs the plugin: `make wheel-test` runs it.
collect_ignore = ["plugin"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, and whose kind other tests see as well, unless every case is wanted."""
    if not IS_EVERY_CASE:
        long = [item for item in items if item.get_closest_marker("whole")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in set(long)]


class ByFile(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """Gives each file to one process of xdist, and the files of the lab to the same one: they share a server."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/lab" if nodeid.startswith("tests/lab/") else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


class KeyWatch(logging.Handler):
    """Notes every record, with its traceback, that holds the text of a key."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found += lines_with_keys(self.format(record))

    def check(self) -> None:
        found, self.found = self.found, []
        assert found == [], "a key was logged"


@pytest.fixture(scope="session", autouse=True)
def key_watch() -> Iterator[KeyWatch]:
    """Listen to everything that is logged, also to what the levels of the settings keep from stderr."""
    watch = KeyWatch()
    root = logging.getLogger()
    for handler in root.handlers:
        handler.setLevel(root.level)
    root.addHandler(watch)
    root.setLevel(logging.DEBUG)
    logging.getLogger("django.request").setLevel(logging.DEBUG)
    # Statements with their values: only in debug mode, where a project's own token is in them by necessity.
    logging.getLogger("django.db.backends").setLevel(logging.INFO)
    yield watch
    watch.check()


@pytest.fixture(autouse=True)
def no_key_is_logged(key_watch: KeyWatch) -> Iterator[None]:
    yield
    key_watch.check()


def pytest_configure() -> None:
    """Without a data directory there is no generated secret key."""
    if settings.IS_SECRET_KEY_GENERATED:
        settings.SECRET_KEY = "a secret of the tests, which is long enough to sign with"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> Iterator[None]:
    """Without DATABASE_URL, give this test process a database server of its own."""
    with ExitStack() as stack:
        if settings.IS_EMBEDDED:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="core6-test-")))
            server = Server(directory, is_durable=False)
            server.start()
            stack.callback(server.stop)
            connections["default"].settings_dict |= connection_settings(directory)
        yield
        if settings.IS_EMBEDDED:
            assert lines_with_keys((directory / "postgres.log").read_text(errors="replace")) == []


@pytest.fixture(scope="session")
def workers_of_the_server(django_db_modify_db_settings: None, django_db_blocker: Any) -> list[tuple[str, int]]:
    with django_db_blocker.unblock():
        return cluster.workers_of_the_server()


@pytest.fixture(scope="session")
def django_db_setup(
    workers_of_the_server: list[tuple[str, int]], django_db_setup: None, django_db_blocker: Any
) -> Iterator[None]:
    """Test with the connection options that web workers have; the migrations ran without."""
    connection.close()
    with django_db_blocker.unblock(), cluster.distributed(workers_of_the_server):
        connection.settings_dict["OPTIONS"] |= settings.WEB_CONNECTION_OPTIONS
        with django_db_blocker.block():
            yield


class SharedHandler(ClientHandler):
    """Calls the middleware that the settings name; to build it looks for every static file, so it is built once.

    A test that changes the list has a chain of its own, built when it sends its first request.
    """

    _shared = ClientHandler(enforce_csrf_checks=False)
    _middleware = tuple(settings.MIDDLEWARE)

    def __init__(self) -> None:
        super().__init__()
        self._own = ClientHandler(enforce_csrf_checks=False)

    def __call__(self, environ: dict[str, Any]) -> Any:
        return (self._shared if tuple(settings.MIDDLEWARE) == self._middleware else self._own)(environ)


class Caller:
    """Speaks HTTP with one key; bodies go out as JSON unless `content_type` says otherwise."""

    def __init__(self, key: str | None, **headers: str) -> None:
        self.key = key
        self.client = Client(headers={**({"Authorization": f"Bearer {key}"} if key else {}), **headers})
        self.client.handler = SharedHandler()

    def request(self, method: str, path: str, body: Any = None, **extra: Any) -> Any:
        if body is not None and not isinstance(body, str | bytes):
            body = json.dumps(body)
        extra.setdefault("content_type", "application/json")
        return self.client.generic(method, path, body or "", **extra)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path, query)

    def post(self, path: str, body: Any = None, **extra: Any) -> Any:
        return self.request("POST", path, body, **extra)

    def patch(self, path: str, body: Any = None, **extra: Any) -> Any:
        return self.request("PATCH", path, body, **extra)

    def put(self, path: str, body: Any = None, **extra: Any) -> Any:
        return self.request("PUT", path, body, **extra)

    def delete(self, path: str) -> Any:
        return self.request("DELETE", path)


@dataclass
class Cast:
    """Who and what a test starts with."""

    alice: User
    bob: User
    carol: User
    dave: User
    acme: Organization
    globex: Organization
    web: Project
    app: Project
    globex_web: Project
    globex_app: Project

    def key(self, user: User, *scopes: str, **restrictions: Any) -> str:
        """Return a new key of `user`: of all scopes unless some are named."""
        value = keys.generate()
        PersonalAPIKey.objects.create(
            user=user,
            label=value[-40:],
            secure_value=keys.digest(value),
            mask_value=mask_key(value),
            scopes=list(scopes) or ["*"],
            **restrictions,
        )
        return value

    def caller(self, user: User, *scopes: str, **restrictions: Any) -> Caller:
        return Caller(self.key(user, *scopes, **restrictions))


def make_cast() -> Cast:
    users = {
        name: User(email=f"{name}@example.com", first_name=name.capitalize(), password="!")
        for name in ("alice", "bob", "carol", "dave")
    }
    User.objects.bulk_create(users.values())
    acme, globex = Organization.objects.bulk_create([Organization(name="Acme"), Organization(name="Globex")])
    Membership.objects.bulk_create(
        Membership(organization=organization, user=users[name], level=level)
        for organization, name, level in (
            (acme, "alice", Level.OWNER),
            (acme, "bob", Level.ADMIN),
            (acme, "carol", Level.MEMBER),
            (globex, "dave", Level.OWNER),
        )
    )
    web, app, globex_web, globex_app = Project.objects.bulk_create(
        Project(organization=organization, name=name) for organization in (acme, globex) for name in ("Web", "App")
    )
    return Cast(**users, acme=acme, globex=globex, web=web, app=app, globex_web=globex_web, globex_app=globex_app)


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def committed_cast(transactional_db: None) -> Iterator[Cast]:
    """The same, visible to other threads and connections."""
    yield make_cast()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")  # Django does not know the library's tables


@pytest.fixture
def alice(cast: Cast) -> Caller:
    return cast.caller(cast.alice)


@pytest.fixture
def nobody(db: None) -> Caller:
    return Caller(None)


@pytest.fixture
def queries(cast: Cast) -> CaptureQueriesContext:
    """Records SQL: `with queries: …; len(queries)`."""
    return CaptureQueriesContext(connection)


def at_once(threads: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work` in threads that begin together, each on a connection of its own; return what they return."""
    barrier = threading.Barrier(threads)

    def run(number: int) -> Any:
        try:
            barrier.wait(10)
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def error(kind: str, code: str, detail: str, attr: str | None = None) -> dict[str, Any]:
    """Return the error JSON whole."""
    return {"type": kind, "code": code, "detail": detail, "attr": attr}


def invalid(code: str, detail: str, attr: str | None = None) -> dict[str, Any]:
    return error("validation_error", code, detail, attr)


def refused(detail: str = "You do not have permission to perform this action.") -> dict[str, Any]:
    return error("authentication_error", "permission_denied", detail)


def missing(detail: str = "Not found.") -> dict[str, Any]:
    return error("invalid_request", "not_found", detail)
