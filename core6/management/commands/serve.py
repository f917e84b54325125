"""`manage.py serve`: everything one machine needs, in the foreground."""

import json
import os
import secrets
import subprocess
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections

from core6.accounts.models import User
from core6.database import data_directory, embedded, processes
from core6.database.data_directory import Unusable
from core6.jobs import wait_until_done
from core6.management.base import CommandBase, readable
from core6.management.commands.provision import provision_file
from core6.management.database_command import prepare, unlimited
from core6.management.environment import shown
from core6.management.event_limits import limits_of_events
from core6.management.lab import check_lab
from core6.security import exposure
from core6.serving.children import STOP_SECONDS, own, start_lab, start_web, start_worker, stop, wait_until_ready
from core6.serving.demo_world import first_of, known_world, make_demo_world
from core6.serving.executed import Executed
from core6.serving.ports import free_port
from core6.serving.signals import Stopped, held, ignore_signals, raise_stopped_on_signals
from core6.terminal import program
from core6.terminal.progress import progress

_DATABASE = "the database"
_LOCAL = "127.0.0.1"
#: A state is saved after this time, though jobs are left.
_JOBS_SECONDS = 30.0
_STOPPING = "Stopping: requests in flight are finished first."


class Command(CommandBase):
    """The supervisor: it starts, tends and stops the others."""

    help = "Run the database, the web server and the job worker, until Ctrl-C or SIGTERM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (default: 8000)")
        parser.add_argument(
            "--workers",
            type=int,
            default=settings.WEB_WORKERS,
            help=f"web server processes (default: {settings.WEB_WORKERS})",
        )
        parser.add_argument("--no-worker", action="store_true", help="no job worker: another machine runs it")
        parser.add_argument("--provision", metavar="FILE", help="declare this world at every start, not the demo")
        parser.add_argument("--ready-file", metavar="FILE", help="written once requests are answered: url, pid")
        parser.add_argument(
            "--exec",
            metavar="COMMAND",
            help="save a state, run this with CORE6_URL and CORE6_API_KEY set, then stop",
        )
        parser.add_argument("--lab", action="store_true", help="for tests of clients: faults, journal, clock, reset")
        parser.add_argument("--fresh", action="store_true", help="a new data directory, which is removed at the end")

    def handle(self, *args: Any, **options: Any) -> None:
        self.server = embedded.Server(settings.DATA_DIRECTORY) if settings.IS_EMBEDDED else None
        self.children: list[processes.Child] = []
        self.is_ready = False
        self.executed: Executed | None = None
        for option in ("fresh", "lab"):
            if options[option] and not settings.IS_EMBEDDED:
                url = shown("DATABASE_URL")
                raise CommandError(f"--{option} makes a database of its own: unset {url}, or leave --{option} out")
        if settings.IS_LAB or options["lab"]:
            check_lab(is_lab=options["lab"], host=options["host"])
        #: Where the processes that count for Prometheus write what the others read.
        self.counted = tempfile.TemporaryDirectory(prefix="core6-metrics-") if settings.METRICS_TOKEN else None
        raise_stopped_on_signals()
        try:
            self._start(options)
            self._tend()
        except Stopped:
            pass
        except Exception as error:
            # A stop in the middle of a statement shows as an error of the driver.
            if not Stopped.is_requested:
                raise readable(error) from error
        finally:
            ignore_signals()
            self._end()
        if self.executed and self.executed.code:
            raise SystemExit(self.executed.code)

    def _tend(self) -> None:
        """Restart children that died, until a signal, or until the command of --exec is over."""
        # Raised where Python ignores exceptions, in a finaliser, a stop is only noted.
        while not Stopped.is_requested and not (self.executed and self.executed.has_ended()):
            with held():
                for child in self.children:
                    if said := child.tend():
                        self.stderr.write(said)
            time.sleep(0.05 if self.executed else 0.2)

    def _end(self) -> None:
        if self.executed:
            self.executed.stop()
        if Stopped.is_requested:
            self.stdout.write(_STOPPING)
            self.stdout.flush()
        # The database stops last, since the others may still write. Until the start is over, none does.
        others = [child.process for child in self.children if child.name != _DATABASE]
        stop(others, STOP_SECONDS + 0.5 if self.is_ready else 0.5)
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
                self._start_database(self.server, is_lab=options["lab"])
            work.now = options["provision"] or "the data"
            start = self._bring_up_to_date(options["provision"])
            work.now = "the web server"
            environment = {
                **os.environ,
                "CORE6_DATA_DIR": str(settings.DATA_DIRECTORY),
                **limits_of_events(options["host"]),
                **({"CORE6_LAB_URL": url} if options["lab"] else {}),
                **({"PROMETHEUS_MULTIPROC_DIR": self.counted.name} if self.counted else {}),
            }
            web = self._listen(options, url, port, environment)
            if not options["no_worker"]:
                self._keep("the job worker", lambda: start_worker(environment))
            wait_until_ready(url, web.process)
        self.is_ready = True
        if warned := exposure.warning(options["host"]):
            self.stderr.write(f"{warned}. {exposure.ADVICE}")
        if options["exec"] or options["lab"]:
            _save(needs_worker=not options["no_worker"])
        if ready_file:
            _write(ready_file, json.dumps({"url": url, "pid": os.getpid()}) + "\n")
        self._announce(url, start, options["host"])
        if options["exec"]:
            with held():
                self.executed = Executed(options["exec"], url, start["key"])

    def _start_database(self, server: embedded.Server, *, is_lab: bool) -> None:
        if is_lab:
            data_directory.mark_as_lab(settings.DATA_DIRECTORY)
        own(server)
        if is_lab:
            data_directory.reset_clock(settings.DATA_DIRECTORY)
        self._keep(_DATABASE, server.launch, server.process)

    def _listen(self, options: dict[str, Any], url: str, port: int, environment: dict[str, str]) -> processes.Child:
        """Start the web server at `port`; in the lab, start the process that listens there in front of it."""
        if not options["lab"]:
            return self._keep("the web server", lambda: start_web(options, options["host"], port, environment))
        inner = free_port(_LOCAL, 0)
        web = self._keep("the web server", lambda: start_web(options, _LOCAL, inner, environment))
        target = f"http://{_LOCAL}:{inner}"
        self._keep("the lab", lambda: start_lab(options["host"], port, target, environment))
        return web

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

    def _announce(self, url: str, start: dict[str, Any], host: str) -> None:
        key, project = start["key"], start["project"]
        self.stdout.write(f"Core6 answers at {url}")
        if not exposure.is_loopback(host):
            name = shown("ALLOWED_HOSTS")
            self.stdout.write(f"  names         {', '.join(settings.ALLOWED_HOSTS)} (add others to {name})")
        if settings.IS_EMBEDDED:
            self.stdout.write(f"  data          {settings.DATA_DIRECTORY}")
        if settings.IS_LAB:
            needs = f"with {shown('LAB_TOKEN')} as bearer token" if settings.LAB_TOKEN else "without a key"
            self.stdout.write(f"  lab           {url}/_lab/, {needs}")
        self.stdout.write(f"  organization  {start['organization'] or '-'}")
        self.stdout.write(f"  project       {project or '-'}")
        new = f"{program.NAME} create_api_key --help"
        self.stdout.write(f"  API key       {key or f'shown once, when it was made; for another: {new}'}")
        self.stdout.write(f"  console       {url}/admin/{start['console']}")
        if key:
            path = f"/api/projects/{project}/annotations/" if project else "/api/projects/"
            named = exposure.host_header(url)
            self.stdout.write(f'Try it:\n  curl -H "Authorization: Bearer {key}" {named}{url}{path}')
        self.stdout.write("Ctrl-C stops it.")
        self.stdout.flush()


def _save(*, needs_worker: bool) -> None:
    """Save a state for `reset`: the one after the jobs of the start, which each reset would else queue again."""
    with progress("Saving a state for `reset`"):
        if needs_worker:
            wait_until_done(_JOBS_SECONDS, needs_worker=True)
        call_command("reset", "--save", "--yes", stdout=StringIO())


def _write(path: Path, text: str) -> None:
    """Write the ready file at once, for those who wait for it to be there."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        new.write_text(text)
        new.replace(path)
    except OSError as error:
        raise Unusable(f"{path} cannot be written ({error.strerror}): choose another --ready-file") from error
