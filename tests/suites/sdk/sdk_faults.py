"""The client that openapi-python-client makes of our schema meets faults: `make sdk-test`. It repeats no request."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.suites.faults import CUT, DELAY, DELAYED, RATE_LIMITED, RETRY_AFTER, TRUNCATED, UNAVAILABLE_TWICE, Lab
from tests.suites.sdk.conftest import HERE, environment_of, run, write_schema
from tests.support.places import place
from tests.support.serving import LIGHT, serving, wait_until

Call = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with place() as directory, serving(directory / "data", *LIGHT, "--lab") as server:
        yield Lab(server)
        assert server.complaints() == []


@pytest.fixture(scope="module")
def call(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Call:
    """Return a function that calls the generated client in a process of its own."""
    directory = tmp_path_factory.mktemp("generated")
    config = HERE / "openapi_python_client.yml"
    schema = write_schema(lab.server, directory)
    run("openapi-python-client", "generate", "--path", schema, "--config", config, "--fail-on-warning", cwd=directory)
    environment = {**environment_of(lab.server), "PYTHONPATH": str(directory / "core-6-client")}
    program = HERE / "meet_fault_by_openapi_python_client.py"
    return lambda *options: json.loads(run(sys.executable, program, *options, cwd=directory, **environment))


@pytest.fixture
def content() -> str:
    return f"by-sdk-{uuid4()}"


@pytest.fixture(params=["GET", "POST"])
def method(request: pytest.FixtureRequest) -> str:
    """Return the method of the operation that meets the fault: a read and a write."""
    return request.param


@pytest.fixture
def options(method: str, content: str, lab: Lab) -> list[str]:
    """Return how the operation is called. A read finds what a write makes."""
    if method == "POST":
        return ["--create", content]
    lab.server.note(content)
    return []


def assert_done_once(lab: Lab, result: dict[str, Any], method: str, content: str) -> None:
    assert result["status"] == (200 if method == "GET" else 201), result
    assert result["parsed"] == ("PaginatedAnnotationList" if method == "GET" else "Annotation")
    assert result["contents"].count(content) == lab.written(content) == 1


def assert_error_is_returned(result: dict[str, Any], status: int, retry_after: int) -> None:
    assert (result["status"], result["parsed"]) == (status, "Error")
    assert result["headers"]["retry-after"] == str(retry_after)


def test_429_is_returned_with_its_retry_after(call: Call, lab: Lab, method: str, options: list[str], content: str):
    lab.order(method, RATE_LIMITED)
    assert_error_is_returned(call(*options), 429, RETRY_AFTER)
    assert lab.statuses(method) == [429]
    assert_done_once(lab, call(*options), method, content)


def test_503_is_returned(call: Call, lab: Lab, method: str, options: list[str], content: str):
    lab.order(method, UNAVAILABLE_TWICE)
    for _ in range(2):
        assert_error_is_returned(call(*options), 503, 1)
    assert lab.statuses(method) == [503, 503]
    assert_done_once(lab, call(*options), method, content)


def test_a_cut_connection_is_raised(call: Call, lab: Lab, method: str, options: list[str], content: str):
    lab.order(method, CUT)
    message = "Server disconnected without sending a response."
    assert call(*options) == {"raised": "RemoteProtocolError", "message": message}
    assert lab.statuses(method) == [None]
    assert_done_once(lab, call(*options), method, content)


def test_a_truncated_body_is_raised(call: Call, lab: Lab, method: str, options: list[str]):
    lab.order(method, TRUNCATED)
    result = call(*options)
    assert result["raised"] == "RemoteProtocolError"
    message = "peer closed connection without sending complete message body (received 10 bytes, expected "
    assert result["message"].startswith(message)
    assert lab.statuses(method) == [200 if method == "GET" else 201]


def test_a_slow_answer_is_returned(call: Call, lab: Lab, method: str, options: list[str], content: str):
    """Its own timeout is none at all, so that it waits for however long."""
    lab.order(method, DELAYED)
    result = call(*options)
    [received] = lab.received(method)
    assert received.seconds >= DELAY
    assert_done_once(lab, result, method, content)


@pytest.mark.parametrize(
    ("fault", "timeout", "raised", "written"),
    [
        (CUT, (), "RemoteProtocolError", 0),
        (TRUNCATED, (), "RemoteProtocolError", 1),
        (DELAYED, ("--timeout", "1"), "ReadTimeout", 1),
    ],
    ids=["a cut connection", "a truncated body", "a timeout of the client"],
)
@pytest.mark.parametrize("has_key", [False, True], ids=["without a key", "with a key"])
def test_a_write_that_the_caller_repeats_is_done_once_with_an_idempotency_key(
    call: Call,
    lab: Lab,
    content: str,
    fault: dict[str, Any],
    timeout: tuple[str, ...],
    raised: str,
    written: int,
    has_key: bool,
):
    """No exception says whether the write was done; without a key, a write that was done is done again."""
    options = ["--create", content, *(["--idempotency-key", content] if has_key else [])]
    lab.order("POST", fault)
    assert call(*options, *timeout)["raised"] == raised
    wait_until(lambda: lab.received("POST"), "end of the first request")
    assert lab.written(content) == written
    result = call(*options)
    assert (result["status"], result["contents"]) == (201, [content])
    assert ("idempotency-replayed" in result["headers"]) == (has_key and written == 1)
    assert lab.written(content) == (1 if has_key else 1 + written)
