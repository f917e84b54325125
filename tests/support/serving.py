"""Runs `manage.py serve` and other commands as people do: in processes of their own."""

import atexit
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import psutil

from core6.management.environment import ENVIRONMENT
from core6.settings import BASE_DIR
from tests.support.key_text import lines_with_keys
from tests.support.places import place

#: Far more than anything here takes; who waits, waits for an event.
PATIENCE = 60.0
#: Options of a server that is there sooner.
LIGHT = ("--no-worker", "--workers", "1")
MANAGE = (sys.executable, "manage.py")
#: The one cohort of the demo world that fails on purpose, in the log of the job worker.
_ON_PURPOSE = '"event":"cohort_calculation_failed","cohort_id":7,"project_id":1,"code":"invalid_regex"'


def wait_until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"no {what} within {seconds:g} s"
        time.sleep(0.02)
    return found


def environment(directory: Path, given: dict[str, str]) -> dict[str, str]:
    """Return this process's environment, of the settings only what is given, of Python's (a flush may hide) none."""
    inherited = (item for item in os.environ.items() if item[0] not in ENVIRONMENT)
    clean = {name: value for name, value in inherited if not name.startswith("PYTHON")}
    return {**clean, "CORE6_DATA_DIR": str(directory), **given}


def manage(directory: Path, *arguments: str, stdin: str = "", **given: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*MANAGE, *arguments],
        cwd=BASE_DIR,
        env=environment(directory, given),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def refusal(directory: Path, *arguments: str, **given: str) -> str:
    """Run a command that must end with exit code 1 and one line on stderr; return the line."""
    done = manage(directory, *arguments, **given)
    assert done.returncode == 1, done
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


def survivors(directory: Path) -> list[psutil.Process]:
    """Return every living process that belongs to a data directory, however it came to be."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            traces = [*process.cmdline()]
            with suppress(psutil.AccessDenied):
                traces.append(process.cwd())
            # Postgres writes its title over its environment, but it works in its directory.
            with suppress(psutil.AccessDenied):
                traces.append(process.environ().get("CORE6_DATA_DIR", ""))
            if any(str(directory) in trace for trace in traces):
                found.append(process)
    return found


def none_survives(directory: Path) -> None:
    wait_until(lambda: not survivors(directory), "end of every process", seconds=20)


class Serve:
    """A running `manage.py serve`; it is killed, if it still lives, with all that it started, by `end`."""

    def __init__(self, directory: Path, *arguments: str, **given: str) -> None:
        self.directory = directory
        self.notes = directory.with_name(f"{directory.name}-notes-{time.monotonic_ns()}")
        self.notes.mkdir()
        self._files: list[IO[str]] = [(self.notes / name).open("w") for name in ("stdout", "stderr")]
        self.process = subprocess.Popen(
            [*MANAGE, "serve", "--port", "0", "--ready-file", str(self.notes / "ready"), *arguments],
            cwd=BASE_DIR,
            env=environment(directory, given),
            stdin=subprocess.DEVNULL,
            stdout=self._files[0],
            stderr=self._files[1],
        )

    @property
    def stdout(self) -> str:
        return (self.notes / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.notes / "stderr").read_text()

    def complaints(self) -> list[str]:
        """Return the lines of stderr that are more than news, except what is wrong in the demo world on purpose."""
        sign = re.compile('WARN|ERROR|FATAL|Error|Traceback|Exce|"level":"(warning|error|critical)"')
        return [line for line in self.stderr.splitlines() if sign.search(line) and _ON_PURPOSE not in line]

    def reach(self, condition: Callable[[], Any]) -> None:
        """Wait until something has happened in its start."""
        wait_until(lambda: self.process.poll() is not None or condition(), "sign of a start")
        assert self.process.poll() is None, (self.process.returncode, self.stdout, self.stderr)

    def ready(self) -> "Serve":
        """Wait until it answers and has said so."""
        self.reach(lambda: "Ctrl-C stops it." in self.stdout)
        return self

    @property
    def ready_file(self) -> dict[str, Any]:
        return json.loads((self.notes / "ready").read_text())

    @property
    def url(self) -> str:
        return self.ready_file["url"]

    def printed(self, name: str) -> str:
        """Return what follows a name in the lines that it prints once it is ready."""
        found = re.search(rf"^  {name} +(.+)$", self.stdout, re.MULTILINE)
        assert found, self.stdout
        return found[1]

    def path(self, resource: str = "") -> str:
        """Return the path of what the printed project holds, or of the project itself."""
        return f"/api/projects/{self.printed('project')}/" + (f"{resource}/" if resource else "")

    @property
    def annotations(self) -> str:
        return self.path("annotations")

    def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        """Send one request, by the printed key unless another is given; return the status and the JSON."""
        headers = {"Authorization": f"Bearer {key or self.printed('API key')}", "Content-Type": "application/json"}
        with closing(HTTPConnection(urlsplit(self.url).netloc, timeout=15)) as connection:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or "null")

    def settle(self) -> None:
        """Wait until the job worker has computed all cohorts of the printed project."""

        def are_computed() -> bool:
            rows = self.call("GET", self.path("cohorts"))[1]["results"]
            return not any(row["is_calculating"] for row in rows)

        wait_until(are_computed, "end of the calculations")

    def note(self, content: str) -> None:
        status, body = self.call("POST", self.annotations, {"scope": "project", "content": content})
        assert status == 201, body

    def contents(self) -> set[str]:
        found: set[str] = set()
        path: str | None = f"{self.annotations}?limit=1000"
        while path:
            status, body = self.call("GET", path)
            assert status == 200, body
            found |= {row["content"] for row in body["results"]}
            path = body["next"] and body["next"].removeprefix(self.url)
        return found

    def web_processes(self) -> list[psutil.Process]:
        with suppress(psutil.Error):
            started = psutil.Process(self.process.pid).children(recursive=True)
            return [process for process in started if "core6.serving" in process.cmdline()]
        return []

    def is_answering(self) -> bool:
        with suppress(OSError):
            return self.call("GET", self.annotations)[0] == 200
        return False

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for process in survivors(self.directory):
            with suppress(psutil.Error):
                process.kill()
        for file in self._files:
            file.close()
        # Standard output shows the key of the demo, to people.
        for log in (self.notes / "stderr", self.directory / "postgres.log"):
            if log.exists():
                assert lines_with_keys(log.read_text(errors="replace")) == [], f"a key was logged in {log.name}"


@cache
def _started_before() -> Path:
    """Return a data directory whose server was started once and stopped; each process of the tests has its own."""
    stack = ExitStack()
    atexit.register(stack.close)
    directory = stack.enter_context(place()) / "data"
    with serving(directory, *LIGHT) as server:
        assert server.stop() == 0
    return directory


@contextmanager
def started_place() -> Iterator[Path]:
    """Yield a data directory with the demo world, as a first start leaves it, without the seconds of that start."""
    with place() as parent:
        subprocess.run(["cp", "-a", str(_started_before()), str(parent / "data")], check=True)
        yield parent / "data"


@contextmanager
def serving(directory: Path, *arguments: str, **given: str) -> Iterator[Serve]:
    server = Serve(directory, *arguments, **given)
    try:
        yield server.ready()
    finally:
        server.end()


def child(server: Serve, name: str) -> psutil.Process | None:
    """Return the process of a server whose command line has a word that ends so."""
    for process in psutil.Process(server.process.pid).children():
        with suppress(psutil.Error):
            if any(part.endswith(name) for part in process.cmdline()):
                return process
    return None
