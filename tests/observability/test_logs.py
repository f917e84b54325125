"""The log: one line for each request and each job, as JSON or for people, and no secret in any."""

import json
import logging
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import procrastinate
import psycopg
import pytest
from django.db import DataError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import get_resolver
from procrastinate.testing import InMemoryConnector

from annotations.views import AnnotationViewSet
from core6.accounts import keys
from core6.database.backend.base import DatabaseWrapper
from core6.observability.job_log import count_statements
from core6.observability.logs import logger_of
from core6.observability.routes import readable
from core6.security.masking import mask_key, masked
from core6.settings import BASE_DIR
from tests.conftest import Caller, Cast
from tests.support.cohorts.people import all_of, leaf
from tests.support.log_lines import logged
from tests.support.places import connect
from tests.support.serving import Serve, environment, serving, started_place, wait_until

KEY = keys.generate()
#: The fixture that listens to what is logged, before it is masked, takes this one for none.
FIXED_KEY = "phx_fixed_for_the_tests"
REQUEST = {"level": "info", "logger": "core6.requests", "event": "request_finished", "request_id": "mine"}
ANNOTATIONS = "/api/projects/:project_id/annotations/"


class Logged:
    """A server at INFO, and what its log says."""

    def __init__(self, server: Serve) -> None:
        self.server = server
        self.key = server.printed("API key")

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> int:
        headers = {"X-Request-Id": "mine", "Content-Type": "application/json", **headers}
        with closing(HTTPConnection(urlsplit(self.server.url).netloc, timeout=15)) as http:
            http.request(method, path, json.dumps(body) if body is not None else None, headers)
            return http.getresponse().status

    def bearer(self, key: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {key or self.key}"}

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.server.stderr.splitlines()]

    def lines_of(self, work: Callable[[], Any]) -> list[dict[str, Any]]:
        """Return the lines of the requests that `work` sends with the id `mine`, without time and duration."""
        seen = len(self.lines())
        work()
        new = [line for line in self.lines()[seen:] if line.get("request_id") == "mine"]
        for line in new:
            assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
            assert 0 < line.pop("ms", 0.1) < 15_000
        return new

    def line(self, event: str, **known: Any) -> dict[str, Any]:
        """Wait for a line of a job and return it."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.lines() if line["event"] == event and known.items() <= line.items()]

        lines: list[dict[str, Any]] = wait_until(found, f"line {event} with {known}", 20)
        assert len(lines) == 1
        return lines[0]


@pytest.fixture(scope="module")
def server() -> Iterator[Logged]:
    with started_place() as directory, serving(directory, "--workers", "1", LOG_LEVEL="INFO") as running:
        running.settle()  # what the worker writes makes cached pages invalid
        logged_server = Logged(running)
        logged_server.call("GET", running.annotations, **logged_server.bearer())  # notes the use of the key, once
        yield logged_server


def test_a_request_is_one_line(server: Logged):
    path, who = server.server.annotations, {"user_id": 1, "key": mask_key(server.key)}
    common = {**REQUEST, "route": ANNOTATIONS}
    in_body, in_query = {"personal_api_key": server.key}, f"?personal_api_key={server.key}"
    one = {"content": "x", "scope": "project"}
    for method, address, body, headers, expected in (
        ("GET", path, None, server.bearer(), {"status": 200, "sql": 1, **who}),
        # The limit of time is a statement, too. With a look at what the statements read, once for each text.
        ("GET", f"{path}?search=x", None, server.bearer(), {"status": 200, "sql": 5, **who}),
        ("GET", f"{path}?search=y", None, server.bearer(), {"status": 200, "sql": 3, **who}),
        ("POST", path, one, server.bearer(), {"status": 201, "sql": 2, **who}),
        ("POST", path, {**one, **in_body}, {}, {"status": 201, "sql": 2, **who}),
        ("GET", f"{path}{in_query}", None, {}, {"status": 200, "sql": 3, **who}),
        ("DELETE", f"{path}1/", None, server.bearer(), {"status": 405, "sql": 1, "route": f"{ANNOTATIONS}:id/", **who}),
        ("GET", path, None, server.bearer(KEY), {"status": 401, "sql": 1}),
        ("GET", path, None, {}, {"status": 401, "sql": 0}),
        ("GET", f"/api/nothing/{KEY}", None, server.bearer(), {"status": 404, "sql": 0, "route": "unmatched"}),
        ("GET", f"/{KEY}", None, {}, {"status": 404, "sql": 0, "route": "unmatched"}),
        ("GET", "/static/core6/favicon.svg", None, {}, {"status": 200, "sql": 0, "route": "/static/:path"}),
        ("GET", "/", None, {}, {"status": 200, "sql": 0, "route": "/"}),
    ):
        lines = server.lines_of(lambda: server.call(method, address, body, **headers))  # noqa: B023  # called at once
        assert lines == [{**common, "method": method, **expected}], (method, address)


def test_an_answer_that_the_client_has_is_a_line_too(server: Logged):
    headers = {**server.bearer(), "If-None-Match": "*"}
    server.call("GET", server.server.annotations, **headers)  # of this state it is kept from then on
    lines = server.lines_of(lambda: server.call("GET", server.server.annotations, **headers))
    assert [(line["status"], line["sql"], line["user_id"]) for line in lines] == [(304, 1, 1)]


def test_probes_are_no_lines(server: Logged):
    assert server.lines_of(lambda: [server.call("GET", path) for path in ("/_livez", "/_readyz")]) == []


def test_a_server_error_is_its_traceback_and_one_line(server: Logged):
    body = {"content": f"of {KEY}", "scope": "project"}
    with connect(server.server.directory) as database:
        database.execute("ALTER TABLE annotations_annotation RENAME TO elsewhere")
        database.commit()
        try:
            error, request = server.lines_of(
                lambda: server.call("POST", server.server.annotations, body, **server.bearer())
            )
        finally:
            database.execute("ALTER TABLE elsewhere RENAME TO annotations_annotation")
    assert (error["level"], error["logger"]) == ("error", "core6.api.errors")
    assert error["event"].startswith("ProgrammingError in <annotations.views.AnnotationViewSet")
    assert 'relation "annotations_annotation" does not exist' in error["event"]
    assert request.pop("sql") >= 2
    assert request == {
        **REQUEST,
        "level": "error",
        "method": "POST",
        "route": ANNOTATIONS,
        "status": 500,
        "user_id": 1,
        "key": mask_key(server.key),
    }


def test_a_calculation_and_its_job_are_one_line_each(server: Logged):
    path = server.server.annotations.replace("annotations", "cohorts")
    status, made = server.server.call("POST", path, {"name": "n", "filters": all_of(leaf("plan", value="x"))})
    assert status == 201
    line = server.line("job_finished", lock=f"cohort:{made['id']}")
    assert {"timestamp", "job_id", "ms", "sql"} <= set(line)
    assert line["sql"] > 5
    known = {"task": "cohorts.tasks.calculate_cohort", "attempt": 1, "status": "succeeded", "level": "info"}
    assert known.items() <= line.items()
    line = server.line("cohort_calculated", cohort_id=made["id"])
    assert (line["level"], line["project_id"], line["count"]) == ("info", 1, 0)
    assert line["ms"] > 0


def test_no_secret_is_in_the_log(server: Logged):
    path, other = server.server.annotations, {"content": KEY, "password": "hunter2-hunter2"}
    for key in (server.key, KEY):
        for method, address, body, headers in (
            ("GET", path, None, server.bearer(key)),
            ("GET", f"{path}?personal_api_key={key}&search={key}&password=hunter2-hunter2", None, {}),
            ("POST", f"{path}?personal_api_key=%20{key}", other, {}),
            ("POST", path, {"personal_api_key": key, **other}, {"X-Request-Id": key}),
            ("GET", f"/api/projects/{key}/annotations/{key}/", None, server.bearer(key)),
            ("GET", f"/api/projects/1/{key}", None, server.bearer(key)),
            (key, path, None, server.bearer(key)),
        ):
            server.call(method, address, body, **headers)
    assert server.lines()[-1]["event"] == "request_finished"
    for secret in (server.key, KEY, "hunter2", KEY[4:].upper()):
        assert secret not in server.server.stderr


def test_every_route_is_readable():
    def patterns(found: Any, before: str = "") -> Iterator[str]:
        for each in found:
            whole = before + str(each.pattern)
            yield from patterns(each.url_patterns, whole) if hasattr(each, "url_patterns") else [whole]

    routes = [readable(each) for each in patterns(get_resolver().url_patterns) if "api(?:" not in each]
    assert "/api/organizations/:organization_id/roles/:role_id/role_memberships/:id/" in routes
    assert [each for each in routes if not re.fullmatch(r"/([\w@.-]+/|:\w+/)*(:?[\w.-]+)?", each)] == []
    assert len(set(routes)) == len(routes)


CODE = (
    "import django, logging; django.setup()\n"
    "from core6.observability.logs import logger_of\n"
    f"logger_of('core6.test').warning('spoken', number=1, key='{KEY}')\n"
    "logging.getLogger('core6.test').info('not logged')\n"
    "try:\n"
    f"    raise ValueError('{KEY}')\n"
    "except ValueError:\n"
    "    logging.getLogger('django.test').exception('broke')\n"
)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_getsreadable_lines_and_whatever_else_json(tmp_path: Path, is_terminal: bool):
    ours, theirs = pty.openpty() if is_terminal else os.pipe()
    subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=BASE_DIR,
        env=environment(tmp_path, {"DJANGO_SETTINGS_MODULE": "core6.settings"}),
        stderr=theirs,
        check=True,
    )
    text = os.read(ours, 65536).decode()
    os.close(ours)
    os.close(theirs)
    assert KEY not in text
    if is_terminal:
        plain = re.sub(r"\x1b\[\d*m", "", text).splitlines()
        assert re.fullmatch(r"20\S+Z \[warning *\] spoken +\[core6.test\] number=1 key=phx_…", plain[0]), plain[0]
        assert "broke" in plain[1]
        assert plain[2] == "Traceback (most recent call last):"
        assert plain[-1] == "ValueError: phx_…"
    else:
        first, second = [json.loads(line) for line in text.splitlines()]
        del first["timestamp"]
        expected = {"level": "warning", "logger": "core6.test", "event": "spoken", "number": 1, "key": "phx_…"}
        assert first == expected
        assert list(second) == ["timestamp", "level", "logger", "event", "exception"]
        assert second["exception"].splitlines()[-1] == "ValueError: phx_…"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"a {FIXED_KEY}, b", "a phx_…, b"),
        ("%20phs_abcdefgh1&x=1", "%20phs_…&x=1"),
        (repr("\nphc_abcdefgh1\n"), "'\\nphc_…\\n'"),
        ("phq_abcdefgh1", "phq_…"),
        ("alpha_betagamma is phx_...abcd", "alpha_betagamma is phx_...abcd"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer …"),
        ("{'HTTP_AUTHORIZATION': 'Bearer abc', 'a': 'b'}", "{'HTTP_AUTHORIZATION': …, 'a': 'b'}"),
        ("GET /x?password=hunter2&limit=1", "GET /x?password=…&limit=1"),
        ("GET /x?personal_api_key=hunter2 HTTP/1.1", "GET /x?personal_api_key=… HTTP/1.1"),
        ("host=db password='hunter \\' 2' user=x", "host=db password=… user=x"),
        ('{"secret_token": "hunter2", "a": 1}', '{"secret_token": …, "a": 1}'),
        ("postgres://user:hunter2@db:5432/x", "postgres://…@db:5432/x"),
        ("postgres://user:hunt@er2@db/x", "postgres://…@db/x"),
        ("https://db.example/api/users/@me/", "https://db.example/api/users/@me/"),
        ("DETAIL:  Failing row contains (1, a\nb, hunter2).\nthe rest", "DETAIL:  Failing row contains …\nthe rest"),
        ("Error('x\\nFailing row contains (1, hunter2).')", "Error('x\\nFailing row contains …"),
        ("Failing row contains (1, hunter", "Failing row contains …"),
    ],
)
def test_a_secret_is_masked_anywhere_in_a_text(text: str, expected: str):
    assert masked(text).startswith(expected)
    assert "hunter" not in masked(text)
    with logged() as lines:
        nested = {"a": [{"b": (text, text.encode(), ValueError(text))}], text: 1}
        logger_of("core6.test").warning(text, value=nested, password="hunter2", plain={"api_key": "hunter2"})
        logging.getLogger("core6.test").error("of %s", [text], exc_info=ValueError(text))
    assert (lines[0]["event"], lines[0]["password"], lines[0]["plain"]) == (masked(text), "…", {"api_key": "…"})
    assert lines[0]["value"]["a"][0]["b"][0] == masked(text)
    assert lines[1]["exception"].endswith(masked(f"ValueError: {text}"))
    assert "hunter2" not in json.dumps(lines) + json.dumps(lines, ensure_ascii=False)


def test_a_line_that_json_cannot_hold_is_logged_all_the_same():
    with logged() as lines:
        logger_of("core6.test").warning("half \ud800", number=2**70, nothing=None)
    assert (lines[0]["event"], lines[0]["number"], lines[0]["nothing"]) == ("half \ud800", 2**70, None)


@pytest.mark.parametrize(
    "part",
    ["secret", "secret_", "token-", "://", "a://@", "Failing row contains (", "Bearer ", "phx_", "'\\", "token' "],
)
def test_no_text_is_made_so_that_masking_takes_for_ever(part: str):
    started = time.perf_counter()
    masked("token" + part * 20_000)
    assert time.perf_counter() - started < 2


def broken(get_response: Any) -> Callable[[HttpRequest], HttpResponse]:
    def fail(request: HttpRequest) -> HttpResponse:
        raise RuntimeError("outside")

    return fail


def test_an_error_outside_every_view_has_its_traceback(nobody: Caller, settings: Any):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.observability.test_logs.broken"]
    nobody.client.raise_request_exception = False
    with logged() as lines:
        assert nobody.get("/api/users/@me/").status_code == 500
    (line,) = [line for line in lines if line["level"] == "error"]
    assert line["exception"].endswith("RuntimeError: outside")


def test_an_error_within_a_view_is_logged_once(cast: Cast, alice: Caller, monkeypatch: pytest.MonkeyPatch):
    def fail(*args: object) -> None:
        raise RuntimeError("within")

    monkeypatch.setattr(AnnotationViewSet, "in_scope", fail)
    with logged() as lines:
        assert alice.get(f"/api/projects/{cast.web.pk}/annotations/", search="x").status_code == 500
    assert [line["logger"] for line in lines if line["level"] == "error"] == ["core6.api.errors"]


def test_statements_are_counted_whatever_becomes_of_them(db: None):
    assert isinstance(connection._connections[connection._alias], DatabaseWrapper)  # type: ignore[attr-defined]
    ours: Any = connection
    before, seconds = ours.statements, ours.statement_seconds
    with ours.execute_wrapper(ours.count_statement), ours.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.01)")
        cursor.executemany("SELECT %s", [[1], [2]])
        with pytest.raises(DataError), transaction.atomic():
            cursor.execute("SELECT 1 / 0")
    assert ours.statements - before == 6  # three of them are about the savepoint
    assert 0.01 < ours.statement_seconds - seconds < 1


# Jobs, by the library's own worker.

app = procrastinate.App(connector=InMemoryConnector())


@app.task(name="good")
def good(secret: str) -> None:
    pass


@app.task(name="bad", retry=procrastinate.RetryStrategy(max_attempts=1, wait=0))
def bad() -> None:
    raise psycopg.OperationalError(f"away, says {FIXED_KEY}")


@app.task(name="waiting")
async def waiting() -> None:
    raise procrastinate.exceptions.JobAborted


def run(*jobs: Any) -> list[dict[str, Any]]:
    with app.replace_connector(InMemoryConnector()) as queue, queue.open():
        for task, lock, given in jobs:
            queue.configure_task(task, lock=lock).defer(**given)
        with logged() as lines:
            queue.run_worker(wait=False, listen_notify=False, task_middleware=[count_statements])
    lines = [line for line in lines if line["logger"] != "asyncio"]
    for line in lines:
        del line["timestamp"]
        assert line.pop("ms", 0) < 1000
    return lines


FINISHED = {"logger": "core6.jobs", "event": "job_finished", "job_id": 1, "lock": None}


def test_a_job_that_succeeds_is_one_line_without_its_arguments():
    assert run(("good", "cohort:1", {"secret": "x"})) == [
        {**FINISHED, "level": "info", "task": "good", "lock": "cohort:1", "attempt": 1, "status": "succeeded", "sql": 0}
    ]


def test_a_job_that_fails_is_a_warning_when_it_is_tried_again_and_an_error_when_it_is_given_up():
    first, last = run(("bad", None, {}))[-2:]
    common = {**FINISHED, "task": "bad", "sql": 0}
    error = "OperationalError: away, says phx_…"
    assert first == {**common, "level": "warning", "attempt": 1, "status": "to_be_tried_again", "error": error}
    assert last.pop("exception").splitlines()[-1] == f"psycopg.{error}"
    assert last == {**common, "level": "error", "attempt": 2, "status": "failed"}


def test_a_job_that_is_aborted_is_no_warning():
    (line,) = run(("waiting", None, {}))
    assert (line["level"], line["status"], line["error"]) == ("info", "aborted", "JobAborted: Job was aborted.")


def test_a_job_of_a_task_that_is_no_more_is_an_error():
    lines = run(("gone", None, {}))
    assert [(line["level"], line["event"]) for line in lines] == [
        ("error", "Task was not found"),
        ("error", "job_finished"),
    ]
