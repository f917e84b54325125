"""`manage.py serve`: everything one machine needs, in the foreground."""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.db import OperationalError, connections

from core6.accounts.models import User
from core6.database import data_directory, embedded, processes
from core6.database.data_directory import ROOT, Unusable
from core6.management.commands.provision import provision_file
from core6.management.database_command import prepare, unlimited
from core6.provisioning.errors import WorldError
from core6.security import exposure
from core6.serving.demo_world import first_of, known_world, make_demo_world
from core6.serving.ports import free_port
from core6.serving.signals import Stopped, held, ignore_signals, raise_stopped_on_signals
from core6.terminal.progress import progress

_DATABASE = "the database"
_OWNER_SECONDS = 5.0
_READY_SECONDS = 60.0
_STOP_SECONDS = 6
#: Requests that a web server process answers at a time. One would be a little cheaper, but then a slow request holds
#: up all others of its process; four cost a tenth more.
_THREADS = 2
_STOPPING = "Stopping: requests in flight are finished first."


class Command(BaseCommand):
    """The supervisor: it starts, tends and stops the others."""

    help = "Run the embedded, the web server and what they need, until Ctrl-C or SIGTERM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
        parser.add_argument("--workers", type=int, default=settings.WEB_WORKERS, help="web server processes")
        parser.add_argument("--no-worker", action="store_true", help="no job worker: another machine runs it")
        parser.add_argument("--provision", metavar="FILE", help="declare this world at every start, not the demo")
        parser.add_argument("--ready-file", metavar="FILE", help="written once requests are answered: url, pid")

    def handle(self, *args: Any, **options: Any) -> None:
        self.server = embedded.Server(settings.DATA_DIRECTORY) if settings.IS_EMBEDDED else None
        self.children: list[processes.Child] = []
        self.is_ready = False
        #: Where the processes that count for Prometheus write what the others read.
        self.counted = tempfile.TemporaryDirectory(prefix="core6-metrics-") if settings.METRICS_TOKEN else None
        raise_stopped_on_signals()
        try:
            self._start(options)
            # Raised where Python ignores exceptions, in a finaliser, a stop is only noted.
            while not Stopped.is_requested:
                with held():
                    for child in self.children:
                        if said := child.tend():
                            self.stderr.write(said)
                time.sleep(0.2)
        except Stopped:
            pass
        except Exception as error:
            # Asked to stop in the midst of a statement, the driver complains of that instead.
            if not Stopped.is_requested:
                raise _readable(error) from error
        finally:
            ignore_signals()
            if Stopped.is_requested:
                self.stdout.write(_STOPPING)
                self.stdout.flush()
            # The database goes last: whoever still writes needs it. Before the start is over nobody does.
            others = [child.process for child in self.children if child.name != _DATABASE]
            _stop(others, _STOP_SECONDS + 0.5 if self.is_ready else 0.5)
            if self.server:
                self.server.stop()
            if self.counted:
                self.counted.cleanup()

    def _start(self, options: dict[str, Any]) -> None:
        port = free_port(options["host"], options["port"])
        ready_file = Path(options["ready_file"]) if options["ready_file"] else None
        if ready_file:
            _write(ready_file, "")  # refused now rather than later
            ready_file.unlink()
        url = f"http://{exposure.reachable(options['host'])}:{port}"
        with progress("Starting") as work:
            if self.server:
                work.now = _DATABASE
                _own(self.server)
                self._keep(_DATABASE, self.server.launch, self.server.process)
            work.now = options["provision"] or "the data"
            shown = self._bring_up_to_date(options["provision"])
            work.now = "the web server"
            environment = {**os.environ, **({"PROMETHEUS_MULTIPROC_DIR": self.counted.name} if self.counted else {})}
            web = self._keep("the web server", lambda: _start_web(options, port, environment))
            if not options["no_worker"]:
                self._keep("the job worker", lambda: _start_worker(environment))
            _wait_until_ready(url, web.process)
        self.is_ready = True
        if warned := exposure.warning(options["host"]):
            self.stderr.write(f"{warned}. {exposure.ADVICE}")
        if ready_file:
            _write(ready_file, json.dumps({"url": url, "pid": os.getpid()}) + "\n")
        self._announce(url, shown)

    def _keep(
        self,
        name: str,
        start: Callable[[], subprocess.Popen[bytes]],
        process: subprocess.Popen[bytes] | None = None,
    ) -> processes.Child:
        """Start a process that is to be tended, and stopped at the end: a stop in between would leave it alone."""
        with held():
            child = processes.Child(name, start, process=process)
            self.children.append(child)
        return child

    def _bring_up_to_date(self, file: str | None) -> dict[str, Any]:
        """Migrate and provision; return what is printed: ids, and a key's value where it is known."""
        try:
            with unlimited():
                prepare()
                if file:
                    return first_of(provision_file(file))
                if not User.objects.exists():
                    make_demo_world()
                return known_world()
        finally:
            connections.close_all()

    def _announce(self, url: str, start: dict[str, Any]) -> None:
        key, project = start["key"], start["project"] or "@current"
        self.stdout.write(f"Core6 answers at {url}")
        if settings.IS_EMBEDDED:
            self.stdout.write(f"  data          {settings.DATA_DIRECTORY}")
        self.stdout.write(f"  organization  {start['organization'] or '-'}")
        self.stdout.write(f"  project       {start['project'] or '-'}")
        shown = key or "shown once, when it was made; for another: manage.py create_api_key --help"
        self.stdout.write(f"  API key       {shown}")
        self.stdout.write(f"  console       {url}/admin/{start['console']}")
        self.stdout.write("Try it:")
        self.stdout.write(
            f'  curl -H "Authorization: Bearer {key or "$KEY"}" {url}/api/projects/{project}/annotations/'
        )
        self.stdout.flush()


def _readable(error: Exception) -> Exception:
    """Return the error as one line where people can do something about it."""
    if isinstance(error, Unusable | WorldError):
        return CommandError(str(error))
    if isinstance(error, OperationalError):
        return CommandError(f"the database cannot be reached: {' '.join(str(error).split())}")
    return error


def _stop(started: list[subprocess.Popen[bytes]], seconds: float) -> None:
    """End processes by SIGTERM, all at once, so that their seconds do not add up; after `seconds` by force."""
    deadline = time.monotonic() + seconds
    for process in started:
        if process.poll() is None:
            process.terminate()
    for process in started:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        processes.stop(process, signal.SIGKILL, 1.0)


def _own(server: embedded.Server) -> None:
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


def _start_web(options: dict[str, Any], port: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [
        *(sys.executable, "-m", "core6.serving", "core6.wsgi:application"),
        *("--host", options["host"], "--port", str(port)),
        *("--workers", str(options["workers"]), "--threads", str(_THREADS), "--stop-seconds", str(_STOP_SECONDS)),
    ]
    environment = {**environment, "DJANGO_SETTINGS_MODULE": "core6.settings"}
    return processes.spawn(command, on_parent_death=signal.SIGKILL, cwd=ROOT, env=environment)


def _start_worker(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(ROOT / "manage.py"), "worker"]
    return processes.spawn(command, on_parent_death=signal.SIGKILL, cwd=ROOT, env=environment)


def _wait_until_ready(url: str, web: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if web.poll() is not None:
            raise Unusable("the web server did not start: its reason stands above")
        try:
            with urllib.request.urlopen(f"{url}/_readyz", timeout=2):  # noqa: S310  # our own http address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.03)
    raise Unusable(f"the web server did not answer {url}/_readyz within {_READY_SECONDS:g} s")


def _write(path: Path, text: str) -> None:
    """Write the ready file at once, for those who wait for it to be there."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        new.write_text(text)
        new.replace(path)
    except OSError as error:
        raise Unusable(f"{path} cannot be written ({error.strerror}): choose another --ready-file") from error
