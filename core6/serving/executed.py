"""The command of `serve --exec`, which runs beside the server and ends it."""

import os
import signal
import subprocess

from core6.serving.children import STOP_SECONDS


class Executed:
    """A running shell command that knows the server's URL and API key by its environment."""

    def __init__(self, command: str, url: str, key: str | None) -> None:
        environment = {**os.environ, "CORE6_URL": url, "CORE6_API_KEY": key or ""}
        # A process group of its own, so that all that the shell started can be stopped.
        self._process = subprocess.Popen(["/bin/sh", "-c", command], env=environment, process_group=0)

    @property
    def code(self) -> int:
        """The exit code; as shells do, 128 and the signal's number for a command that a signal ended."""
        found = self._process.returncode
        return 128 - found if found < 0 else found

    def has_ended(self) -> bool:
        """Return whether the command is over."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """End the command and all that it started, if it still runs."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self._process.pid, number)
                try:
                    self._process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
