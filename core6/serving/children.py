"""The processes that `serve` starts: how each is started, watched at its start, and stopped."""

import signal
import subprocess
import time
from contextlib import suppress
from typing import Any

from django.conf import settings

from core6.database import data_directory, embedded, processes
from core6.database.data_directory import Unusable
from core6.serving.readiness import is_ready
from core6.terminal import program

_OWNER_SECONDS = 5.0
_READY_SECONDS = 60.0
#: A child that takes longer to stop is killed.
STOP_SECONDS = 6
#: Requests that a web server process answers at a time. One would be a little cheaper, but then a slow request holds
#: up all others of its process; four cost a tenth more.
_THREADS = 2


def stop(started: list[subprocess.Popen[bytes]], seconds: float) -> None:
    """End processes by SIGTERM, all at once, so that their seconds do not add up; after `seconds` by force."""
    deadline = time.monotonic() + seconds
    for process in started:
        if process.poll() is None:
            process.terminate()
    for process in started:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        processes.stop(process, signal.SIGKILL, 1.0)


def own(server: embedded.Server) -> None:
    """Start the embedded database; raises Unusable when another process owns its directory."""
    deadline = time.monotonic() + _OWNER_SECONDS
    while True:
        try:
            return server.start()
        except BlockingIOError:
            # Perhaps a command that is about to end.
            if time.monotonic() > deadline:
                directory = settings.DATA_DIRECTORY
                raise Unusable(
                    f"process {data_directory.owner(directory)} uses {directory} already: stop it,"
                    " or set CORE6_DATA_DIR to another directory"
                ) from None
            time.sleep(0.1)


def start_web(options: dict[str, Any], host: str, port: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start the web server on a free port."""
    command = [
        *program.python("-m", "core6.serving", "core6.wsgi:application"),
        *("--host", host, "--port", str(port)),
        *("--workers", str(options["workers"]), "--threads", str(_THREADS), "--stop-seconds", str(STOP_SECONDS)),
    ]
    environment = {**environment, "DJANGO_SETTINGS_MODULE": "core6.settings"}
    return processes.spawn(command, on_parent_death=signal.SIGKILL, cwd=program.ROOT, env=environment)


def start_lab(host: str, port: int, target: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start the process that listens for the web server at `target`, with the operations of the lab."""
    command = [*program.python("-m", "core6.lab"), "--host", host, "--port", str(port), "--target", target]
    environment = {**environment, "DJANGO_SETTINGS_MODULE": "core6.settings"}
    return processes.spawn(command, on_parent_death=signal.SIGKILL, cwd=program.ROOT, env=environment)


def start_worker(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a job worker."""
    command = program.python("-m", "core6.cli", "worker")
    return processes.spawn(command, on_parent_death=signal.SIGKILL, cwd=program.ROOT, env=environment)


def wait_until_ready(url: str, web: subprocess.Popen[bytes]) -> None:
    """Return when the web server answers; raises Unusable when it ended or takes too long."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if web.poll() is not None:
            raise Unusable("the web server did not start: its reason stands above")
        if is_ready(url):
            return
        time.sleep(0.03)
    raise Unusable(f"the web server did not answer {url}/_readyz within {_READY_SECONDS:g} s")
