"""The servers that are compared: ours by `manage.py serve`, the peers beside it on its database."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit

import psutil

from core6.database import processes
from core6.settings import BASE_DIR
from tests.suites.benchmarks.data import environment_of_peers
from tests.support.serving import Serve, environment, wait_until

#: Web server processes of each.
WORKERS = 2
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Answer:
    """One answer, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Running:
    """A server that answers at `url`, with the processes below `pid`."""

    name: str
    url: str
    pid: int
    #: Its database when that is a part of the tree.
    database: int | None = None

    def ask(self, path: str, key: str, body: str | None = None, method: str = "GET", **more: str) -> Answer:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **more}
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            connection.request(method, path, body, headers)
            found = connection.getresponse()
            return Answer(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())
        finally:
            connection.close()

    def cpu_ms(self) -> float:
        return _cpu_ms(_tree(self.pid, without=self.database))

    def worker_uss_mb(self) -> float:
        """Return the memory that a worker has alone, in the mean; workers are the largest that have no children."""
        leaves = [each for each in _tree(self.pid, without=self.database) if not each.children()]
        sizes = sorted(each.memory_full_info().uss for each in leaves)
        return sum(sizes[-WORKERS:]) / WORKERS / 2**20


def database_of(directory: Path) -> int:
    """Return the process id of the embedded Postgres."""
    return int((directory / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])


def database_cpu_ms(pid: int) -> float:
    return _cpu_ms(_tree(pid))


def _tree(pid: int, without: int | None = None) -> list[psutil.Process]:
    root = psutil.Process(pid)
    if without is None:
        return [root, *root.children(recursive=True)]
    found = [root]
    for child in root.children():
        if child.pid != without:
            found += _tree(child.pid)
    return found


def _cpu_ms(tree: list[psutil.Process]) -> float:
    """Return utime and stime of processes, and of their children that have ended."""
    ticks = 0
    for process in tree:
        with suppress(OSError):
            # The name, which may hold spaces, ends with the last parenthesis.
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(fields[i]) for i in (11, 12, 13, 14))
    return ticks * 1000 / _TICK


def ours(server: Serve) -> Running:
    return Running("core6", server.url, server.process.pid, database_of(server.directory))


@contextmanager
def peers(server: Serve) -> Iterator[dict[str, Running]]:
    """Run every peer; each is killed at the end."""
    ports = {name: _free_port() for name in ("a", "f", "f-best", "hello")}
    given = environment(server.directory, environment_of_peers(server.directory))
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in _commands(server, ports).items():
            more = {"DJANGO_SETTINGS_MODULE": f"{_PEERS}.drf_settings"} if name == "a" else {}
            env = {**given, **more}
            started[name] = processes.spawn(command, on_parent_death=signal.SIGTERM, cwd=BASE_DIR, env=env)
        for name, process in started.items():
            _wait(name, f"http://127.0.0.1:{ports[name]}", process)
        yield {name: Running(name, f"http://127.0.0.1:{ports[name]}", each.pid) for name, each in started.items()}
    finally:
        for process in started.values():
            _end(process)


_PEERS = "tests.suites.benchmarks.peers"


def _commands(server: Serve, ports: dict[str, int]) -> dict[str, Sequence[str]]:
    workers = ("--workers", str(WORKERS))
    # Connections stay open however long they wait for the rest to be answered, as ours do.
    gunicorn = (
        *(sys.executable, "-m", "gunicorn", "--worker-class", "gthread", *workers, "--threads", "4"),
        *("--keep-alive", "75"),
    )
    uvicorn = (
        *(sys.executable, "-m", "uvicorn", "--loop", "uvloop", "--http", "httptools", *workers),
        *("--timeout-keep-alive", "75"),
    )
    quiet = ("--no-access-log", "--log-level", "warning")
    return {
        "a": (
            *(*gunicorn, "--log-level", "warning", "--bind", f"127.0.0.1:{ports['a']}"),
            "django.core.wsgi:get_wsgi_application()",
        ),
        "f": (*uvicorn, *quiet, "--port", str(ports["f"]), f"{_PEERS}.starlette_plain:app"),
        "f-best": (*uvicorn, *quiet, "--port", str(ports["f-best"]), f"{_PEERS}.starlette_best:app"),
        "hello": _like_ours(server, ports["hello"]),
    }


def _like_ours(server: Serve, port: int) -> list[str]:
    """Return the command line of our own web server, for the application `hello` at another port."""
    # None when a process ended while they were listed.
    found = wait_until(server.web_processes, "web server process")
    command: list[str] = min(found, key=lambda process: process.create_time()).cmdline()
    command[command.index("core6.wsgi:application")] = f"{_PEERS}.hello:application"
    command[command.index("--port") + 1] = str(port)
    return command


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(name: str, url: str, process: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        assert process.poll() is None, f"peer {name} ended with code {process.returncode}: its reason stands above"
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except HTTPError:
            return True  # it has no such page, but it is there
        except OSError:
            return False
        return True

    wait_until(answers, f"answer of peer {name}")


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(psutil.Error):
        tree = _tree(process.pid)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        for each in tree:
            with suppress(psutil.Error):
                each.kill()
    process.wait()
