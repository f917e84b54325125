"""`/metrics`: nothing without METRICS_TOKEN; with it the requests, statements, calculations and the queue."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from core6.observability import queue_metrics
from core6.observability.queue_metrics import QueueCollector
from tests.conftest import Cast, error, missing
from tests.support.cohorts.people import all_of, leaf, work
from tests.support.serving import wait_until
from tests.support.settings import SECRET, URL, manage, python

TOKEN = "t0ken-of-the-tests-of-metrics-which-is-long"
REFUSAL = error(
    "authentication_error",
    "not_authenticated",
    "Send METRICS_TOKEN as the bearer token to read the metrics.",
)


def test_without_a_token_there_are_none_and_nothing_of_prometheus_is_loaded(tmp_path: Path):
    code = (
        "import sys, django; django.setup()\n"
        "from django.test import Client\n"
        "import core6.wsgi, core6.observability.job_log\n"
        "import core6.management.commands.worker, core6.management.commands.serve\n"
        "answer = Client().get('/metrics', headers={'Host': 'localhost', 'Authorization': 'Bearer '})\n"
        "print(answer.status_code, answer.json()['code'], [name for name in sys.modules if 'prometheus' in name])"
    )
    given = {"DJANGO_SETTINGS_MODULE": "core6.settings", "SECRET_KEY": SECRET, "CORE6_DATA_DIR": str(tmp_path)}
    done = python(code, **given)
    assert done.stdout.strip() == "404 not_found []", done.stderr


def test_a_weak_token_stops_the_start_of_a_deployment():
    done = manage("check", SECRET_KEY=SECRET, METRICS_TOKEN="short", **URL)
    assert done.returncode == 1
    why = "error: METRICS_TOKEN is too weak: it has 5 characters, fewer than 32; make one, for instance by"
    assert done.stderr.strip() == f"{why} `openssl rand -base64 48`"


Samples = dict[str, float]


def samples(text: str) -> Samples:
    """Return the value of each line that is no comment."""
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in text.splitlines() if line[0] != "#")
    }


@pytest.fixture
def counting(settings: Any) -> None:
    """Count in this process, as with a METRICS_TOKEN."""
    settings.METRICS_TOKEN = TOKEN
    ours = [
        "core6.observability.metrics_endpoint.MetricsMiddleware",
        "core6.observability.request_metrics.RequestMetricsMiddleware",
    ]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE[:1], *ours, *settings.MIDDLEWARE[1:]]


@pytest.fixture
def scrape(counting: None, transactional_db: None) -> Callable[[], Samples]:
    """Ask a server in this process: what has come to its counters, and what its gauges say."""

    def ask() -> Samples:
        answer = Client(headers={"Authorization": f"Bearer {TOKEN}", "Host": "10.0.0.7:8000"}).get("/metrics")
        assert (answer.status_code, answer["Content-Type"][:10]) == (200, "text/plain")
        return samples(answer.content.decode())

    before = ask()

    def since() -> Samples:
        return {
            name: value - (before.get(name, 0) if re.search(r"_(total|count|sum|bucket)(\{|$)", name) else 0)
            for name, value in ask().items()
        }

    return since


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer tökén"},
    ],
)
def test_a_caller_without_the_token_gets_no_metrics(counting: None, client: Client, headers: dict[str, str]):
    answer = client.get("/metrics", headers=headers)
    assert (answer.status_code, answer.json()) == (401, REFUSAL)
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), [("POST", "/metrics"), ("GET", "/metrics/more"), ("GET", "/api/metrics")])
def test_nothing_else_is_there(counting: None, method: str, path: str):
    answer = Client(headers={"Authorization": f"Bearer {TOKEN}"}).generic(method, path)
    assert (answer.status_code, answer.json()) == (404, missing("Endpoint not found."))


@pytest.mark.django_db(transaction=True)
def test_requests_are_counted_by_route_method_and_status(committed_cast: Cast, scrape: Callable[[], Samples]):
    alice = committed_cast.caller(committed_cast.alice)
    path = f"/api/projects/{committed_cast.web.pk}/annotations/"
    for _ in range(3):
        alice.get(path)
    alice.get(path, search="x")
    alice.post(path, {"content": "x", "scope": "project"})
    alice.post(path, {"scope": "nonsense"})
    alice.get(f"{path}999999/")
    found = scrape()
    counted = {
        name: value
        for name, value in found.items()
        if name.startswith("django_http_responses_total_by_status_view_method_total{") and value
    }
    route = "/api/projects/:project_id/annotations/"

    def label(method: str, status: int, view: str) -> str:
        labels = f'method="{method}",status="{status}",view="{view}"'
        return f"django_http_responses_total_by_status_view_method_total{{{labels}}}"

    assert counted == {
        label("GET", 200, route): 4,
        label("POST", 201, route): 1,
        label("POST", 400, route): 1,
        label("GET", 404, f"{route}:id/"): 1,
    }
    seconds = "django_http_requests_latency_seconds_by_view_method"
    assert found[f'{seconds}_count{{method="GET",view="{route}"}}'] == 4
    assert 0 < found[f'{seconds}_sum{{method="GET",view="{route}"}}'] < 10
    assert not [name for name in found if "django" in name and not name.startswith((seconds, "django_http_responses_"))]


@pytest.mark.django_db(transaction=True)
def test_no_client_can_make_up_labels(committed_cast: Cast, scrape: Callable[[], Samples]):
    before = set(scrape())
    alice = committed_cast.caller(committed_cast.alice)
    for number in range(20):
        for path in (f"/api/nothing{number}", f"/nothing{number}", f"/static/{number}", f"/api/projects/{number}x/"):
            alice.get(path)
        alice.request(f"MADE{number}", "/api/nothing")
        alice.request(f"MADE{number}", "/api/users/@me/")
    new = {re.search('method="(.*?)".*view="(.*?)"', name).groups() for name in set(scrape()) - before}  # type: ignore[union-attr]
    assert new <= {
        ("GET", "unmatched"),
        ("GET", "/static/:path"),
        ("GET", "/api/projects/:id/"),
        ("<invalid method>", "unmatched"),
        ("<invalid method>", "/api/users/@me/"),
    }


@pytest.mark.django_db(transaction=True)
def test_statements_are_counted_with_their_seconds(committed_cast: Cast, scrape: Callable[[], Samples]):
    alice = committed_cast.caller(committed_cast.alice)
    path = f"/api/projects/{committed_cast.web.pk}/annotations/"
    alice.get(path)  # notes the use of the key
    before = scrape()
    ours: Any = connection
    with ours.execute_wrapper(ours.count_statement):
        alice.get(path, search="x")
    after = scrape()
    name = 'core6_sql_statements_total{source="request"}'
    assert after[name] - before.get(name, 0) == 3  # who calls, the limit of time, the page
    name = 'core6_sql_seconds_total{source="request"}'
    assert 0 < after[name] - before.get(name, 0) < 1


@pytest.mark.django_db(transaction=True)
def test_calculations_are_counted_by_outcome(committed_cast: Cast, scrape: Callable[[], Samples]):
    alice = committed_cast.caller(committed_cast.alice)
    path = f"/api/projects/{committed_cast.web.pk}/cohorts/"
    for filters in (leaf("plan", value="x"), leaf("plan", value="y"), leaf("plan", "regex", value="[")):
        assert alice.post(path, {"name": "n", "filters": all_of(filters)}).status_code == 201
    assert scrape()['core6_jobs{status="todo",task="cohorts.tasks.calculate_cohort"}'] == 3
    work()
    found = scrape()
    assert found['core6_cohort_calculation_seconds_count{outcome="success"}'] == 2
    assert found['core6_cohort_calculation_seconds_count{outcome="invalid_regex"}'] == 1
    assert 0 < found['core6_cohort_calculation_seconds_sum{outcome="success"}'] < 10


# The queue.


@pytest.fixture
def queue(transactional_db: None) -> Iterator[Callable[..., Any]]:
    """Run statements on an empty queue."""

    def execute(statement: str, *given: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(statement, given)
            return cursor.fetchone() if cursor.description else None

    clear = "TRUNCATE procrastinate_jobs, procrastinate_workers, procrastinate_events CASCADE"
    execute(clear)
    yield execute
    execute(clear)


def collected() -> dict[str, Any]:
    """Return what one scrape finds: values by name, of the jobs by task and status."""
    found: dict[str, Any] = {}
    for family in QueueCollector().collect():
        for sample in family.samples:
            found[" ".join([sample.name, *sample.labels.values()])] = sample.value
    return found


def defer(
    queue: Callable[..., Any], task: str, status: str = "todo", seconds: float | None = 0, lock: str | None = None
):
    queue(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, scheduled_at, lock, attempts)"
        " VALUES ('default', %s, %s::procrastinate_job_status, now() - make_interval(secs => %s), %s, 0)",
        *(task, status, seconds, lock),
    )
    queue("UPDATE procrastinate_events SET at = now() - interval '2 hours'")


def test_an_empty_queue_has_metrics(queue: Callable[..., Any]):
    assert collected() == {
        "core6_database_up": 1,
        "core6_job_oldest_waiting_seconds": 0,
        "core6_job_workers": 0,
    }


def test_jobs_are_counted_by_task_and_status(queue: Callable[..., Any]):
    for task, status in (("a", "todo"), ("a", "todo"), ("a", "failed"), ("b", "doing")):
        defer(queue, task, status)
    found = collected()
    assert {name: value for name, value in found.items() if name.startswith("core6_jobs ")} == {
        "core6_jobs a todo": 2,
        "core6_jobs a failed": 1,
        "core6_jobs b doing": 1,
    }


def test_the_oldest_is_one_that_may_start_now(queue: Callable[..., Any]):
    defer(queue, "later", seconds=-3600)
    assert collected()["core6_job_oldest_waiting_seconds"] == 0
    defer(queue, "running", "doing", seconds=5000, lock="taken")
    defer(queue, "waits for the other", seconds=4000, lock="taken")
    assert collected()["core6_job_oldest_waiting_seconds"] == 0
    defer(queue, "waits", seconds=300)
    defer(queue, "waits longer", seconds=600)
    assert 600 <= collected()["core6_job_oldest_waiting_seconds"] < 660


def test_a_worker_without_a_sign_of_life_is_none(queue: Callable[..., Any]):
    for age in (0, 5, 60):
        queue("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => %s))", age)
    assert collected()["core6_job_workers"] == 2


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_is_reported_with_all_other_metrics(
    committed_cast: Cast, scrape: Callable[[], Samples]
):
    committed_cast.caller(committed_cast.alice).get("/api/users/@me/")
    host = connection.settings_dict["HOST"]
    connection.settings_dict["HOST"] = "/nonexistent"
    started = time.monotonic()
    try:
        found = scrape()
    finally:
        connection.settings_dict["HOST"] = host
    assert time.monotonic() - started < 3
    assert found["core6_database_up"] == 0
    assert not [name for name in found if name.startswith("core6_job")]
    name = 'django_http_responses_total_by_status_view_method_total{method="GET",status="200",view="/api/users/@me/"}'
    assert found[name] == 1


def test_a_frozen_database_does_not_hold_the_answer(transactional_db: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(queue_metrics, "PATIENCE_SECONDS", 0.2)
    collector = QueueCollector()
    with socket.create_server(("127.0.0.1", 0)) as frozen, monkeypatch.context() as elsewhere:
        elsewhere.setitem(connection.settings_dict, "HOST", "127.0.0.1")
        elsewhere.setitem(connection.settings_dict, "PORT", str(frozen.getsockname()[1]))
        for _ in range(2):
            started = time.monotonic()
            (up,) = collector.collect()
            assert up.samples[0].value == 0
            assert time.monotonic() - started < 1
    wait_until(lambda: next(iter(collector.collect())).samples[0].value == 1, "answer of the database")
