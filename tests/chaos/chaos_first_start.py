"""The first start is killed, or asked to stop, at each moment of it."""

import signal
import time

import pytest

from tests.management.places import place
from tests.management.serving import LIGHT, Serve, none_survives, serving

#: What the first start makes, in order (nothing: the directory itself), and some seconds after it.
MOMENTS = pytest.mark.parametrize(
    ("made", "delay"),
    [
        ("", 0.0),
        ("postgres.new-*/PG_VERSION", 0.1),
        ("postgres/postmaster.pid", 0.1),
        ("demo_password", 0.0),
        ("demo_key", 0.0),
        ("demo_key", 0.4),
    ],
)


@MOMENTS
def test_one_that_is_killed_is_begun_again(made: str, delay: float):
    with place() as parent:
        server = Serve(parent / "data")
        try:
            server.reach(lambda: list(parent.glob(f"data/{made}")))
            time.sleep(delay)
            server.process.kill()
            none_survives(parent / "data")
        finally:
            server.end()
        with serving(parent / "data", *LIGHT) as again:
            again.note("works")
            assert list(again.directory.glob("postgres.new-*")) == []


@MOMENTS
def test_one_that_is_asked_to_stop_ends_cleanly(made: str, delay: float):
    with place() as parent:
        server = Serve(parent / "data")
        try:
            server.reach(lambda: list(parent.glob(f"data/{made}")))
            time.sleep(delay)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(10) == 0, server.stderr
            none_survives(parent / "data")
            assert server.complaints() == []
        finally:
            server.end()
