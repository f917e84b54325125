"""`reset` beside a server with a job worker, which goes on at once."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from core6.settings import BASE_DIR
from tests.support.cohorts.people import all_of, leaf
from tests.support.places import connect, place
from tests.support.sampling import IS_EVERY_CASE
from tests.support.serving import LIGHT, MANAGE, Serve, child, environment, manage, serving, started_place, wait_until

ROUNDS = 50 if IS_EVERY_CASE else 5


@contextmanager
def resets(server: Serve) -> Iterator[Any]:
    """Yield a function that resets the server, by one command for all rounds."""
    assert manage(server.directory, "reset", "--save").returncode == 0
    command = [*MANAGE, "reset", "--lines"]
    given = {"cwd": BASE_DIR, "env": environment(server.directory, {}), "text": True}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **given) as process:  # type: ignore[call-overload]

        def once() -> None:
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline().startswith("Reset core6 in")

        try:
            yield once
        finally:
            process.terminate()


def test_a_cohort_is_computed_at_once_after_each_reset_and_the_log_stays_empty():
    with started_place() as directory, serving(directory, "--workers", "1") as server, resets(server) as reset:
        worker = wait_until(lambda: child(server, "worker"), "job worker")
        seconds = []
        for _ in range(ROUNDS):
            reset()
            began = time.monotonic()
            status, made = server.call(
                "POST", server.path("cohorts"), {"name": "n", "filters": all_of(leaf("a", value="b"))}
            )
            assert status == 201, made
            address = f"{server.path('cohorts')}{made['id']}/"
            wait_until(lambda: not server.call("GET", address)[1]["is_calculating"], "count")  # noqa: B023
            seconds.append(time.monotonic() - began)
        assert child(server, "worker") == psutil.Process(worker.pid)
        assert server.complaints() == []
        # A job that met a cut connection would be tried again after 3 s, and a new worker needs 2 s.
        assert max(seconds) < (0.5 if IS_EVERY_CASE else 2), seconds


def test_a_lab_has_its_saved_state_before_its_first_request():
    """To save it ends the connections to the database: a request that comes meanwhile would be answered by 503."""
    with place() as parent, serving(parent / "data", *LIGHT, "--lab") as server:
        with connect(server.directory, "postgres") as connection:
            names = connection.execute("SELECT datname FROM pg_database").fetchall()
        assert ("core6_saved",) in names
        server.note("the first")
        assert server.complaints() == []
