"""Fixtures for tests against a Core6 server, which runs as a process of its own; README.md describes them."""

import json
import os
import secrets
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pytest_core6_lab import Clock, Core6Error, Faults, Journal, Lab

#: Of the environment, the server sees these and the names of Core6 itself.
_PASSED = ("PATH", "HOME", "LANG", "TMPDIR")
_START_SECONDS = 90.0
_STOP_SECONDS = 20.0
_USER = "pytest@core6.invalid"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this plugin."""
    group = parser.getgroup("core6")
    group.addoption("--core6-command", default="core6", help="the command of the server (default: core6)")
    group.addoption("--core6-url", help="use the server at this URL, with the key in CORE6_API_KEY, and start none")
    parser.addini("core6_world", "a provisioning file that is loaded before the first test")


class Server:
    """A running server.

    `url` and `api_key` are for clients. `ids` is what `core6 provision` prints of the first state. `lab` sends requests
    to its lab, which a server that was joined has only if it was started with `--lab`.
    """

    def __init__(self, url: str, api_key: str, ids: dict[str, Any], lab: Lab) -> None:
        self.url = url
        self.api_key = api_key
        self.ids = ids
        self.lab = lab
        self._has_lab = lab.is_there()

    def reset(self) -> None:
        """Bring the first state back; a server without a lab stays as it is."""
        if self._has_lab:
            self.lab.call("POST", "reset")

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
        if world is None:
            world = self._directory / "world.json"
            world.write_text(json.dumps(_first_world()))
        ready = self._directory / "ready.json"
        log = self._directory / "log"
        with log.open("w") as output:
            self._process = subprocess.Popen(
                [
                    *(*self._command, "serve", "--lab", "--port", "0", "--workers", "1"),
                    *("--provision", str(world), "--ready-file", str(ready)),
                ],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            _wait_for(ready, self._process, log)
            url = json.loads(ready.read_text())["url"]
            lab = Lab(url)
            ids = self._ids(lab, world)
            super().__init__(url, _first_key(world, ids), ids, lab)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _ids(self, lab: Lab, world: Path) -> Any:
        """Provision the first state again, which changes nothing, and return its ids."""
        try:
            return lab.call("POST", "provision", world.read_text())
        except Core6Error:
            # A file may name other files, which the command alone reads.
            command = [*self._command, "provision", str(world)]
            done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Core6Error(f"`core6 provision {world}` failed: {done.stderr.strip()}") from None
            return json.loads(done.stdout)


class Core6:
    """The server for one test, in its first state; all but `url`, `api_key` and `ids` needs a server with a lab."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self.api_key = server.api_key
        self.ids = server.ids
        self.faults = Faults(server.lab)
        self.journal = Journal(server.lab)
        self.clock = Clock(server.lab)
        self._lab = server.lab

    def provision(self, world: Mapping[str, Any]) -> dict[str, Any]:
        """Create what a provisioning file describes, given as a mapping with all lists in it; return its ids.

        Raises Core6Error with the path of what is wrong, such as that of a file that is named in it.
        """
        made: dict[str, Any] = self._lab.call("POST", "provision", dict(world))
        return made

    def settle(self) -> list[dict[str, Any]]:
        """Compute all cohorts, and return the errors: `cohort`, `name`, `project`, `code`, `error`.

        Raises Core6Error if that takes longer than 60 s.
        """
        errors: list[dict[str, Any]] = self._lab.call("POST", "settle")["errors"]
        return errors

    def strict(self, enabled: bool = True) -> None:
        """Let the server refuse what it would ignore: unknown paths, query parameters and fields."""
        self._lab.call("PUT", "strict", {"enabled": enabled})


@pytest.fixture(scope="session")
def core6_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server of this run; with pytest-xdist, of this worker."""
    url = request.config.getoption("--core6-url")
    if url:
        url = url.rstrip("/")
        yield Server(url, os.environ.get("CORE6_API_KEY", ""), {}, Lab(url))
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
