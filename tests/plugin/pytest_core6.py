"""Fixtures for tests against a Core6 server, which runs as a process of its own; README.md describes them."""

import json
import os
import secrets
import shlex
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

#: Of the environment, the server sees these and the names of Core6 itself.
_PASSED = ("PATH", "HOME", "LANG", "TMPDIR")
_START_SECONDS = 90.0
_STOP_SECONDS = 20.0
_SETTLE_SECONDS = 60.0
_USER = "pytest@core6.invalid"


class Core6Error(Exception):
    """The server or one of its commands failed; the message is what it printed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this plugin."""
    group = parser.getgroup("core6")
    group.addoption("--core6-command", default="core6", help="the command of the server (default: core6)")
    group.addoption("--core6-url", help="use the server at this URL, with the key in CORE6_API_KEY, and start none")
    parser.addini("core6_world", "a provisioning file that is loaded before the first test")


class Server:
    """A running server.

    `url` and `api_key` are for clients. `ids` is what `core6 provision` printed of the first state.
    """

    def __init__(self, url: str, api_key: str, ids: dict[str, Any]) -> None:
        self.url = url
        self.api_key = api_key
        self.ids = ids

    def reset(self) -> None:
        """Bring the first state back; a server that was joined stays as it is."""

    def provision(self, world: Mapping[str, Any]) -> dict[str, Any]:
        """Create what a provisioning file describes, given as a mapping; return its ids."""
        raise Core6Error(
            "a server that was joined by --core6-url cannot be provisioned: run `core6 provision` beside it"
        )

    def stop(self) -> None:
        """Stop the server, as a client would see it crash; a server that was joined goes on."""


class _OwnServer(Server):
    """A server that this process starts, with a data directory that is removed at the end."""

    def __init__(self, command: str, world: Path | None) -> None:
        self._command = shlex.split(command)
        self._directory = Path(tempfile.mkdtemp(prefix="pytest-core6-"))
        self._directory.chmod(0o711)  # as root, the database runs as another account
        self._environment = {
            name: value for name, value in os.environ.items() if name in _PASSED or name.startswith("CORE6_")
        }
        self._environment["CORE6_DATA_DIR"] = str(self._directory / "data")
        self._resets: subprocess.Popen[str] | None = None
        if world is None:
            world = self._directory / "world.json"
            world.write_text(json.dumps(_first_world()))
        ready = self._directory / "ready.json"
        log = self._directory / "log"
        with log.open("w") as output:
            self._process = subprocess.Popen(
                [
                    *(*self._command, "serve", "--port", "0", "--workers", "1"),
                    *("--provision", str(world), "--ready-file", str(ready)),
                ],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            _wait_for(ready, self._process, log)
            # This changes nothing and prints the ids.
            ids = json.loads(self._run("provision", str(world)))
            key = _first_key(world, ids)
            self._run("reset", "--save")
        except BaseException:
            self.stop()
            raise
        super().__init__(json.loads(ready.read_text())["url"], key, ids)

    def reset(self) -> None:
        if self._resets is None:
            self._resets = subprocess.Popen(
                [*self._command, "reset", "--lines"],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._resets.stdin
        assert self._resets.stdout
        self._resets.stdin.write("\n")
        self._resets.stdin.flush()
        if not self._resets.stdout.readline():
            raise Core6Error("`core6 reset` ended: read what it printed above")

    def provision(self, world: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._run("provision", "-", given=json.dumps(world)))
        return found

    def stop(self) -> None:
        started: list[subprocess.Popen[Any] | None] = [self._resets, self._process]
        for process in started:
            if process is None:
                continue
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _run(self, *arguments: str, given: str | None = None) -> str:
        done = subprocess.run(
            [*self._command, *arguments],
            env=self._environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Core6Error(f"`core6 {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return done.stdout


class Core6:
    """The server for one test, in its first state."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.url = server.url
        self.api_key = server.api_key
        self.ids = server.ids

    def provision(self, world: Mapping[str, Any]) -> dict[str, Any]:
        """Create what a provisioning file describes, given as a mapping; return its ids."""
        return self._server.provision(world)

    def settle(self) -> None:
        """Wait until no cohort that the key can see is being computed; raises Core6Error after 60 s."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        for project in self._rows("/api/projects/?limit=1000"):
            while any(
                row["is_calculating"] for row in self._rows(f"/api/projects/{project['id']}/cohorts/?limit=1000")
            ):
                if time.monotonic() > deadline:
                    raise Core6Error(
                        f"cohorts of project {project['id']} are still computed after {_SETTLE_SECONDS:g} s"
                    )
                time.sleep(0.02)

    def _rows(self, path: str) -> Iterator[dict[str, Any]]:
        following: str | None = f"{self.url}{path}"
        while following:
            request = urllib.request.Request(following, headers={"Authorization": f"Bearer {self.api_key}"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                page = json.load(answer)
            yield from page["results"]
            following = page["next"]


@pytest.fixture(scope="session")
def core6_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server of this run; with pytest-xdist, of this worker."""
    url = request.config.getoption("--core6-url")
    if url:
        yield Server(url.rstrip("/"), os.environ.get("CORE6_API_KEY", ""), {})
        return
    named = request.config.getini("core6_world")
    server = _OwnServer(request.config.getoption("--core6-command"), request.config.rootpath / named if named else None)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def core6(core6_server: Server) -> Core6:
    """The server, brought back to its first state."""
    core6_server.reset()
    return Core6(core6_server)


def _first_key(world: Path, ids: dict[str, Any]) -> str:
    for key in ids["api_keys"].values():
        if key["value"]:
            return str(key["value"])
    raise Core6Error(f"{world} gives no key a value: add `value: phx_…` with a text of your own to one of api_keys")


def _first_world() -> dict[str, Any]:
    key = f"phx_{secrets.token_hex(24)}"
    return {
        "users": [{"email": _USER}],
        "organizations": [{"name": "Acme", "members": {_USER: "owner"}, "projects": [{"name": "Web"}]}],
        "api_keys": [{"label": "pytest", "user": _USER, "scopes": ["*"], "value": key}],
    }


def _wait_for(ready: Path, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise Core6Error(f"the server did not start: {log.read_text().strip()}")
        time.sleep(0.02)


__all__ = ["Core6", "Core6Error", "Server", "core6", "core6_server"]
