"""The signals that end `serve`: each raises Stopped, at once or at the end of a protected block."""

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Stopped(BaseException):
    """A signal requested the end; raised wherever the process is, unless a block holds it back."""

    is_requested = False
    is_held = False


def ignore_signals() -> None:
    """Ignore further signals while the processes end."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def raise_stopped_on_signals() -> None:
    """Raise Stopped on each signal that ends a process, and once more after half a second."""

    def stop(*_: object) -> None:
        Stopped.is_requested = True
        signal.setitimer(signal.ITIMER_REAL, 0.5)  # again: Python drops an exception in a finaliser or a fork
        logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # open connections are cut
        if not Stopped.is_held:
            raise Stopped

    def forget(lost: "sys.UnraisableHookArgs") -> None:
        if not issubclass(lost.exc_type, Stopped):
            sys.__unraisablehook__(lost)

    sys.unraisablehook = forget
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, stop)


@contextmanager
def held() -> Iterator[None]:
    """Hold a Stopped back until the end of the block."""
    Stopped.is_held = True
    try:
        yield
    finally:
        Stopped.is_held = False
    if Stopped.is_requested:
        raise Stopped
