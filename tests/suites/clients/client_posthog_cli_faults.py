"""The command line client `@posthog/cli` meets faults: `make client-test`. It repeats a request after 429 only."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import pytest

from tests.suites.clients.client_posthog_cli import Cli
from tests.suites.clients.installing import node_client
from tests.suites.faults import CUT, DELAY, DELAYED, RATE_LIMITED, RETRY_AFTER, TRUNCATED, UNAVAILABLE_TWICE, Lab


@dataclass
class Command:
    """A command of the client that reads or writes annotations, with the status of the answer."""

    method: str
    success: int
    content: str
    run: Callable[[], "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def cli(lab: Lab) -> Cli:
    return Cli(lab.server, node_client("@posthog/cli"))


@pytest.fixture
def writing(cli: Cli) -> Command:
    content = f"by-cli-{uuid4()}"
    given = json.dumps({"content": content, "date_marker": "2026-01-02T03:04:05Z", "scope": "project"})
    return Command("POST", 201, content, lambda: cli.run("annotation-create", given))


@pytest.fixture(params=["reading", "writing"])
def command(request: pytest.FixtureRequest, cli: Cli, lab: Lab, writing: Command) -> Command:
    if request.param == "writing":
        return writing
    lab.server.note(writing.content)
    return Command("GET", 200, writing.content, lambda: cli.run("annotations-list", "{}"))


def assert_done_once(lab: Lab, command: Command, done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 0, done
    assert done.stdout.count(command.content) == lab.written(command.content) == 1


def assert_failed_at_once(lab: Lab, command: Command, message: str, status: int | None) -> None:
    """Run a command that must end with one line of error and one request."""
    done = command.run()
    assert (done.returncode, done.stdout) == (1, ""), done
    assert message in done.stderr
    assert lab.statuses(command.method) == [status]


def test_after_429_it_waits_for_retry_after_and_succeeds(lab: Lab, command: Command):
    lab.order(command.method, RATE_LIMITED)
    done = command.run()
    assert lab.statuses(command.method) == [429, command.success]
    [wait] = lab.waits(command.method)
    assert wait >= RETRY_AFTER
    assert f"Retrying in {RETRY_AFTER}000ms" in done.stderr
    assert_done_once(lab, command, done)


def test_a_fourth_429_is_an_error(lab: Lab, command: Command):
    lab.order(command.method, {**RATE_LIMITED, "times": 4})
    done = command.run()
    assert (done.returncode, done.stdout) == (1, ""), done
    assert "rate limit exceeded (429)" in done.stderr
    assert f"Retry after {RETRY_AFTER} seconds." in done.stderr
    assert lab.statuses(command.method) == [429] * 4
    assert all(wait >= RETRY_AFTER for wait in lab.waits(command.method))
    assert_done_once(lab, command, command.run())


def test_after_503_it_fails_with_the_body_of_the_answer(lab: Lab, command: Command):
    lab.order(command.method, UNAVAILABLE_TWICE)
    for _ in range(2):
        done = command.run()
        assert (done.returncode, done.stdout) == (1, "")
        assert "Status Code: 503 (Service Unavailable)" in done.stderr
        assert '"detail": "The lab answers 503' in done.stderr
    assert lab.statuses(command.method) == [503, 503]
    assert_done_once(lab, command, command.run())


def test_after_a_cut_connection_it_fails(lab: Lab, command: Command):
    lab.order(command.method, CUT)
    assert_failed_at_once(lab, command, "Error: fetch failed", None)
    assert_done_once(lab, command, command.run())


def test_after_a_truncated_body_it_fails(lab: Lab, command: Command):
    lab.order(command.method, TRUNCATED)
    assert_failed_at_once(lab, command, "Error: terminated", command.success)


def test_a_write_whose_answer_is_truncated_is_done_twice_by_a_second_run(lab: Lab, writing: Command):
    lab.order("POST", TRUNCATED)
    assert_failed_at_once(lab, writing, "Error: terminated", 201)
    assert lab.written(writing.content) == 1
    assert writing.run().returncode == 0
    assert lab.written(writing.content) == 2
    # The header would prevent it, and the client has no option for one.
    assert all("idempotency-key" not in each.headers for each in lab.received("POST"))


def test_it_waits_for_a_slow_answer(lab: Lab, command: Command):
    lab.order(command.method, DELAYED)
    done = command.run()
    [received] = lab.received(command.method)
    assert received.status == command.success
    assert received.seconds >= DELAY
    assert_done_once(lab, command, done)
