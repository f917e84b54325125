"""Child processes that never outlive their parent, and are restarted when they die."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

_PR_SET_PDEATHSIG = 1
# Loaded before any fork, since nothing may be imported between fork and exec.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None

#: The minimum number of seconds between two starts of a child.
RESTART_SECONDS = 1.0


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel send signal `number` to this process when the thread that started it ends (Linux only)."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, number)


def spawn(command: Sequence[str], *, on_parent_death: int, **options: object) -> subprocess.Popen[bytes]:
    """Start a child in its own session, so that Ctrl-C reaches only the parent; `options` are those of Popen."""
    parent = os.getpid()

    def attach() -> None:
        die_with_parent(on_parent_death)
        if os.getppid() != parent:
            os._exit(1)  # the parent died before the call

    process: subprocess.Popen[bytes] = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=attach,  # noqa: PLW1509  # two system calls, which need no lock of a thread
        **options,  # type: ignore[call-overload]  # Popen's many overloads cannot be forwarded by keyword
    )
    return process


def stop(process: subprocess.Popen[bytes], number: int, seconds: float, then: int = signal.SIGKILL) -> None:
    """Stop `process` by signal `number`; if it runs on after `seconds`, by signal `then`; at last by SIGKILL."""
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
    """A supervised process: `tend` restarts it if it has ended."""

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
        """Restart the process if it has ended, and return a message about that; call this regularly."""
        code = self.process.poll()
        if code is None or time.monotonic() - self._started < RESTART_SECONDS:
            return None
        self._started = time.monotonic()
        try:
            self.process = self._start()
        except Exception as error:
            return f"{self.name} ended with code {code} and cannot be started: {error}"
        return f"{self.name} ended with code {code} and was started again"
