"""Child processes that never outlive their parent, and are started again when they die."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

_PR_SET_PDEATHSIG = 1
# Looked up before any fork: between fork and exec nothing may be imported.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None

#: A child that dies again is not started more often than this.
RESTART_SECONDS = 1.0


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask the kernel to send signal `number` to this process when the thread that started it ends (Linux only)."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, number)


def spawn(command: Sequence[str], *, on_parent_death: int, **options: object) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that a Ctrl-C reaches the parent alone; keywords as of Popen."""
    parent = os.getpid()

    def attach() -> None:
        die_with_parent(on_parent_death)
        if os.getppid() != parent:
            os._exit(1)  # the parent died before the request was in place

    process: subprocess.Popen[bytes] = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=attach,  # noqa: PLW1509  # two system calls, nothing that a thread could hold a lock of
        **options,  # type: ignore[call-overload]  # Popen's many overloads cannot be forwarded by keyword
    )
    return process


def stop(process: subprocess.Popen[bytes], number: int, seconds: float, then: int = signal.SIGKILL) -> None:
    """Ask `process` to end by signal `number`; when it has not after `seconds`, by signal `then`, and by force."""
    for attempt in (number, then):
        if process.poll() is not None:
            return
        process.send_signal(attempt)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    if process.poll() is None:
        process.kill()
        process.wait()


class Child:
    """A process that is kept running: `tend` starts it again after its death."""

    def __init__(
        self,
        name: str,
        start: Callable[[], subprocess.Popen[bytes]],
        *,
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.name = name
        self.process = process or start()
        self._start = start
        self._started = time.monotonic()

    def tend(self) -> str | None:
        """Start the process again if it has ended, and say so; call this now and then."""
        code = self.process.poll()
        if code is None or time.monotonic() - self._started < RESTART_SECONDS:
            return None
        self._started = time.monotonic()
        try:
            self.process = self._start()
        except Exception as error:
            return f"{self.name} ended with code {code} and cannot be started: {error}"
        return f"{self.name} ended with code {code} and was started again"
