"""Metrics of several processes: any web worker has those of all of them, and of those that have ended."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from core6.settings import BASE_DIR
from tests.observability.test_metrics import REFUSAL, TOKEN, Samples, samples
from tests.support.cohorts.people import all_of, leaf
from tests.support.serving import MANAGE, Serve, child, environment, refusal, serving, started_place, wait_until

MARKED = 'django_http_responses_total_by_status_view_method_total{method="GET",status="404",view="unmatched"}'


class Counting:
    """A server that counts."""

    def __init__(self, server: Serve) -> None:
        self.server = server
        self.directory = Path(self.workers()[0].environ()["PROMETHEUS_MULTIPROC_DIR"])

    def workers(self) -> list[psutil.Process]:
        """Return the web workers."""
        supervisor = child(self.server, "core6.wsgi:application")
        assert supervisor
        return [each for each in supervisor.children() if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]

    def scrape(self) -> Samples:
        return scraped(self.server.url)

    def call_unknown(self, times: int) -> None:
        """Send requests on connections of their own: each may come to any web worker."""
        for _ in range(times):
            with closing(HTTPConnection(urlsplit(self.server.url).netloc, timeout=15)) as http:
                http.request("GET", "/api/nothing")
                assert http.getresponse().status == 404

    def files(self) -> set[str]:
        return {path.name for path in self.directory.glob("counter_*.db")}

    def reach_all(self) -> None:
        """Call until each web worker has counted something."""
        wanted = {f"counter_{each.pid}.db" for each in self.workers()}

        def are_reached() -> bool:
            self.call_unknown(4)
            return wanted <= self.files()

        wait_until(are_reached, "request to each web worker", 20)


def scraped(url: str, token: str = TOKEN) -> Samples:
    request = urllib.request.Request(f"{url}/metrics", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=15) as answer:
        return samples(answer.read().decode())


@pytest.fixture(scope="module")
def counting() -> Iterator[Counting]:
    with started_place() as directory, serving(directory, "--workers", "2", METRICS_TOKEN=TOKEN) as server:
        yield Counting(server)


def test_any_web_worker_has_the_metrics_of_all(counting: Counting):
    counting.reach_all()
    before = counting.scrape()[MARKED]
    counting.call_unknown(30)
    assert {counting.scrape()[MARKED] for _ in range(10)} == {before + 30}


def test_a_web_worker_that_is_killed_takes_no_count_with_it(counting: Counting):
    counting.reach_all()
    before = counting.scrape()[MARKED]
    victim = counting.workers()[0]
    victim.kill()
    victim.wait(15)
    wait_until(lambda: len(counting.workers()) == 2, "new web worker", 20)
    # A connection that was made to the one that died is lost; that request was not counted.
    counted = 0
    while counted < 20:
        with suppress(OSError):
            counting.call_unknown(1)
            counted += 1
    assert {counting.scrape()[MARKED] for _ in range(5)} == {before + 20}


def test_the_metrics_of_the_job_worker_are_there_too(counting: Counting):
    name = 'core6_cohort_calculation_seconds_count{outcome="success"}'
    path = counting.server.annotations.replace("annotations", "cohorts")
    counting.server.settle()
    before = counting.scrape()[name]
    for number in (before + 1, before + 2):
        assert counting.server.call("POST", path, {"name": "n", "filters": all_of(leaf("a", value="b"))})[0] == 201
        wait_until(lambda: counting.scrape().get(name) == number, "calculation that is counted", 20)  # noqa: B023
        worker = child(counting.server, "worker")
        assert worker
        worker.kill()
        psutil.wait_procs([worker], timeout=15)
        wait_until(lambda: child(counting.server, "worker"), "new job worker", 20)
    found = counting.scrape()
    assert found['core6_sql_statements_total{source="job"}'] > 20
    assert found["core6_database_up"] == 1
    assert found["core6_job_workers"] >= 1


def test_at_the_default_level_only_what_fails_is_logged(counting: Counting):
    counting.call_unknown(1)
    path = counting.server.annotations.replace("annotations", "cohorts")
    filters = all_of(leaf("plan", "regex", value="["))
    status, made = counting.server.call("POST", path, {"name": "n", "filters": filters})
    assert status == 201
    pattern = rf'^.*cohort_calculation_failed","cohort_id":{made["id"]},.*$'
    lines = wait_until(lambda: re.findall(pattern, counting.server.stderr, re.MULTILINE), "line")
    assert len(lines) == 1
    for part in (
        '"level":"warning"',
        f'"cohort_id":{made["id"]}',
        '"project_id":1',
        '"code":"invalid_regex"',
        '"error":',
    ):
        assert part in lines[0]
    assert "request_finished" not in counting.server.stderr
    assert "job_finished" not in counting.server.stderr
    assert TOKEN not in counting.server.stderr + counting.server.stdout


@pytest.fixture
def alone(counting: Counting) -> Iterator[Any]:
    """A job worker as on another machine, and the address of its metrics."""
    given = environment(counting.server.directory, {"METRICS_TOKEN": TOKEN})
    command = [*MANAGE, "worker", "--metrics", "127.0.0.1:0"]
    process = psutil.Popen(command, cwd=BASE_DIR, env=given, stdout=-1, text=True)
    try:
        line = process.stdout.readline()
        found = re.fullmatch(r"Metrics: (http://127\.0\.0\.1:\d+)/metrics\n", line)
        assert found, line
        yield found[1]
    finally:
        process.kill()
        process.wait(15)
        process.stdout.close()


@pytest.mark.whole
def test_a_worker_alone_has_the_same_metrics_for_the_same_callers(counting: Counting, alone: str):
    place = urlsplit(alone).netloc
    assert "is no HOST:PORT" in refusal(counting.server.directory, "worker", "--metrics", "9100", METRICS_TOKEN=TOKEN)
    message = refusal(counting.server.directory, "worker", "--metrics", place, METRICS_TOKEN=TOKEN)
    assert message.endswith(f"{place} cannot be listened on (Address already in use): choose another for --metrics")
    with pytest.raises(urllib.error.HTTPError) as refused:
        scraped(alone, "wrong")
    with refused.value as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (401, "application/json")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert json.loads(answer.read()) == REFUSAL
    found = scraped(alone)
    assert found["core6_database_up"] == 1
    assert not [name for name in found if not name.startswith("core6_")]
    # Those that were killed before count for ten seconds.
    wait_until(lambda: scraped(alone)["core6_job_workers"] == 2, "the worker of serve and this one alone", 30)


def test_a_worker_without_the_token_is_refused(tmp_path: Path):
    message = refusal(tmp_path, "worker", "--metrics", "127.0.0.1:0")
    assert message.endswith("--metrics needs METRICS_TOKEN: set it to a long random text (openssl rand -base64 48)")


def test_what_is_counted_goes_with_the_server(counting: Counting):
    """The last one: it stops the server."""
    assert counting.directory.is_dir()
    assert counting.server.stop() == 0
    assert not counting.directory.exists()
