"""The web server: `python -m core6.serving` loads the application once, then forks its workers.

Modules loaded before the fork are in memory that all workers share, and cost no worker time.
"""

import gc
import json
import os
import resource
import signal
import threading
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from core6.database import processes
from core6.serving.limits import BACKLOG, MOST_CONNECTIONS, PATIENCE_SECONDS
from core6.terminal import program

_LOGGING: Final = Path(__file__).with_name("granian_logging.json")
_MOST_FILES: Final = 65_536
#: The threshold of cyclic garbage collection, in new objects. A request creates some thousand.
_GARBAGE: Final = 5_000


def main() -> None:
    """Serve until SIGTERM or SIGINT from the supervisor, which is the parent process."""
    parser = ArgumentParser(prog="python -m core6.serving", description=__doc__)
    parser.add_argument("target", help="the WSGI application, as module:name")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True, help="processes")
    parser.add_argument("--threads", type=int, required=True, help="requests that each answers at a time")
    parser.add_argument("--stop-seconds", type=int, required=True, help="after so many a worker is stopped by force")
    options = parser.parse_args()
    program.find_packages()
    _allow_many_files()
    make = _load(options.target)
    server = Server(
        options.target,
        address=options.host,
        port=options.port,
        interface=Interfaces.RSGI,
        workers=options.workers,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        # This limits idle connections, too.
        http1_settings=HTTP1Settings(header_read_timeout=int(PATIENCE_SECONDS * 1000)),
        websockets=False,
        backlog=BACKLOG,
        backpressure=MOST_CONNECTIONS,
        respawn_failed_workers=True,
        workers_kill_timeout=options.stop_seconds,
        log_level=LogLevels.error,
        log_dictconfig=json.loads(_LOGGING.read_text()),
    )
    os.register_at_fork(after_in_child=_EndWithParent())
    if threading.active_count() > 1:
        raise RuntimeError("The application started a thread while it was loaded: start it when it is first used.")
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    server.serve(target_loader=lambda: make(threads=options.threads), wrap_loader=False)


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    wsgi = getattr(import_module(module), name)
    from core6.serving.application import Application  # noqa: PLC0415  # it needs the settings that the module has configured

    return lambda threads: Application(wsgi, threads=threads)


class _EndWithParent:
    """Ends a worker with its parent process: workers of a killed web server would keep the port open."""

    def __init__(self) -> None:
        self._parent = os.getpid()
        self._is_worker = False

    def __call__(self) -> None:
        if self._is_worker:
            return  # a child of a worker
        self._is_worker = True
        processes.die_with_parent()
        if os.getppid() != self._parent:
            os._exit(1)  # the parent was killed before the call
        # Until the web server sets another one, a worker has its parent's handler, which would not stop it.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _allow_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _MOST_FILES:
        most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


if __name__ == "__main__":
    main()
