"""A running server for each client, and what it holds by plain HTTP."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.suites.clients.installing import HERE
from tests.suites.faults import Lab
from tests.support.places import place
from tests.support.serving import Serve, serving, wait_until

#: A person of world.yaml, on the plan `pro`; and one on the plan `free`.
ANN, BEN = (f"0195a0c0-0000-7000-8000-00000000000{number}" for number in (1, 2))


@contextmanager
def serving_world(*options: str) -> Iterator[Serve]:
    """Run a server with what world.yaml declares; it must have nothing to complain about."""
    world = str(HERE / "world.yaml")
    with place() as directory, serving(directory / "data", "--workers", "1", "--provision", world, *options) as server:
        yield server
        assert server.complaints() == []


@pytest.fixture(scope="module")
def server() -> Iterator[Serve]:
    with serving_world() as server:
        yield server


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Return the lab of a server of its own, which orders faults."""
    with serving_world("--lab") as server:
        yield Lab(server)


@pytest.fixture(scope="module")
def organization(server: Serve) -> str:
    return server.printed("organization")


@pytest.fixture(scope="module")
def project(server: Serve) -> int:
    return int(server.printed("project"))


def held(server: Serve, path: str) -> Any:
    """Return what the server answers below `/api/`."""
    status, body = server.call("GET", f"/api/{path}")
    assert status == 200, body
    return body


def made(server: Serve, path: str, **given: Any) -> Any:
    status, body = server.call("POST", f"/api/{path}", given)
    assert status == 201, body
    return body


def computed(server: Serve, project: int, cohort: int) -> Any:
    """Return a cohort once it is computed."""
    path = f"projects/{project}/cohorts/{cohort}/"
    wait_until(lambda: not held(server, path)["is_calculating"], "end of a calculation")
    return held(server, path)


def on_plans(*plans: str) -> dict[str, Any]:
    """Return the filters of a cohort: who is on one of the plans."""
    condition = {"type": "person", "key": "plan", "operator": "exact", "value": list(plans)}
    return {"properties": {"type": "AND", "values": [{"type": "AND", "values": [condition]}]}}


def environment(**given: str) -> dict[str, str]:
    """Return this process's environment without what a client could read by chance."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("POSTHOG_", "PYTHON"))} | given


def run(*command: str | Path, stdin: str = "", **given: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of a client with these settings in its environment."""
    return subprocess.run(
        command,
        env=environment(**given),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
