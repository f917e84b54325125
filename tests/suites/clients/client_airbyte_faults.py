"""The connector `airbyte-source-posthog` meets faults: `make client-test`. It reads only, and repeats every request."""

from pathlib import Path
from typing import Any

import pytest

from tests.suites.clients.client_airbyte import run, write_catalog, write_config
from tests.suites.faults import CUT, DELAY, DELAYED, RATE_LIMITED, RETRY_AFTER, TRUNCATED, UNAVAILABLE_TWICE, Lab

NOTES = 5


@pytest.fixture(scope="module")
def arguments(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> list[str | Path]:
    """Return the command that reads the annotations, of which there are some."""
    for number in range(NOTES):
        lab.server.note(f"note-{number}")
    config = write_config(tmp_path_factory.mktemp("airbyte"), lab.server.url, lab.server.printed("API key"))
    return ["read", "--config", config, "--catalog", write_catalog(config, "annotations")]


def logged(messages: list[dict[str, Any]]) -> str:
    return "\n".join(message["log"]["message"] for message in messages if message["type"] == "LOG")


def last_status(messages: list[dict[str, Any]]) -> str:
    traces = [message["trace"] for message in messages if message["type"] == "TRACE"]
    return [trace["stream_status"]["status"] for trace in traces if trace["type"] == "STREAM_STATUS"][-1]


def assert_everything_is_read_once(messages: list[dict[str, Any]]) -> None:
    contents = [message["record"]["data"]["content"] for message in messages if message["type"] == "RECORD"]
    assert sorted(contents) == [f"note-{number}" for number in range(NOTES)]
    assert last_status(messages) == "COMPLETE"


@pytest.mark.parametrize(
    ("fault", "statuses", "waits", "reason"),
    [
        (UNAVAILABLE_TWICE, [503, 503, 200], [1, 2], "HTTP Status Code: 503. Error: Service unavailable."),
        (CUT, [None, 200], [1], "RemoteDisconnected('Remote end closed connection without response')"),
        (TRUNCATED, [200, 200], [1], "IncompleteRead(10 bytes read"),
    ],
    ids=["503 twice", "a cut connection", "a truncated body"],
)
def test_it_repeats_the_request_after_seconds_and_reads_everything_once(
    lab: Lab,
    arguments: list[str | Path],
    fault: dict[str, Any],
    statuses: list[int | None],
    waits: list[int],
    reason: str,
):
    lab.order("GET", fault)
    messages = run(*arguments)
    assert_everything_is_read_once(messages)
    assert lab.statuses("GET") == statuses
    assert all(wait >= least for wait, least in zip(lab.waits("GET"), waits, strict=True))
    assert logged(messages).count(f"Waiting {waits[0]} seconds then retrying") == 1
    assert reason in logged(messages)


def test_after_429_it_ignores_retry_after_and_repeats_the_request_after_a_second(lab: Lab, arguments: list[str | Path]):
    lab.order("GET", RATE_LIMITED)
    messages = run(*arguments)
    assert_everything_is_read_once(messages)
    assert lab.statuses("GET") == [429, 200]
    [wait] = lab.waits("GET")
    assert 1 <= wait < RETRY_AFTER
    assert "Waiting 1 seconds then retrying" in logged(messages)


def test_a_sixth_429_after_31_seconds_ends_the_sync(lab: Lab, arguments: list[str | Path]):
    """The limits of this server can last longer, where they are enabled."""
    lab.order("GET", {**RATE_LIMITED, "times": 6})
    messages = run(*arguments, code=1)
    assert lab.statuses("GET") == [429] * 6
    assert all(wait >= least for wait, least in zip(lab.waits("GET"), [1, 2, 4, 8, 16], strict=True))
    assert last_status(messages) == "INCOMPLETE"
    traces = [message["trace"] for message in messages if message["type"] == "TRACE"]
    assert "API rate limit exceeded." in [trace["error"]["message"] for trace in traces if trace["type"] == "ERROR"]


def test_it_waits_for_a_slow_answer(lab: Lab, arguments: list[str | Path]):
    lab.order("GET", DELAYED)
    assert_everything_is_read_once(run(*arguments))
    [received] = lab.received("GET")
    assert received.status == 200
    assert received.seconds >= DELAY
