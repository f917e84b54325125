"""`serve --exec` and `--fresh`, and `wait`: one line for a CI job in any language."""

import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.places import place
from tests.support.serving import (
    LIGHT,
    Serve,
    manage,
    none_survives,
    refusal,
    serving,
    started_place,
    survivors,
)
from tests.support.settings import SECRET, URL

CALL = (
    "import json, os, urllib.request as r;"
    "u = os.environ['CORE6_URL'] + '/api/projects/@current/annotations/';"
    "h = {'Authorization': 'Bearer ' + os.environ['CORE6_API_KEY']};"
    "print('status', r.urlopen(r.Request(u, headers=h)).status, flush=True)"
)


def served(directory: Path, command: str, *options: str) -> Serve:
    server = Serve(directory, *LIGHT, *options, "--exec", command)
    try:
        server.process.wait(60)
    finally:
        server.end()
    return server


def test_exec_runs_a_command_beside_the_server_and_ends_as_it_did():
    """The command brings the saved state back first."""
    with started_place() as directory:
        server = served(directory, f'{sys.executable} manage.py reset; {sys.executable} -c "{CALL}"; exit 7')
        assert server.process.returncode == 7, server.stderr
        assert "Reset core6 in" in server.stdout
        assert "status 200" in server.stdout
        assert survivors(directory) == []


def test_a_signal_ends_the_command_and_the_server():
    with started_place() as directory:
        server = Serve(directory, *LIGHT, "--exec", "echo running; sleep 60; echo over")
        try:
            server.reach(lambda: "running" in server.stdout)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(20) == 128 + signal.SIGTERM
            assert "over" not in server.stdout
            none_survives(directory)
        finally:
            server.end()


@pytest.mark.whole
def test_fresh_serves_a_new_directory_and_removes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with place() as temporary:
        monkeypatch.setenv("TMPDIR", str(temporary))
        server = served(tmp_path / "untouched", f'{sys.executable} -c "{CALL}"', "--fresh")
        assert server.process.returncode == 0, server.stderr
        assert "status 200" in server.stdout
        assert list(temporary.glob("core6-fresh-*")) == []
    assert not (tmp_path / "untouched").exists()
    assert os.environ["TMPDIR"] != tempfile.gettempdir()


def test_fresh_is_refused_beside_a_real_database(tmp_path: Path):
    given = {"SECRET_KEY": SECRET, "TMPDIR": str(tmp_path), **URL}
    message = refusal(tmp_path / "none", "serve", "--fresh", **given)
    assert "unset DATABASE_URL, or leave --fresh out" in message
    assert list(tmp_path.iterdir()) == []


def test_wait_returns_when_the_server_answers():
    with started_place() as directory, serving(directory, *LIGHT) as server:
        ready = server.notes / "ready"
        assert manage(directory, "wait", "--ready-file", str(ready)).stdout == f"{server.url}\n"
        assert manage(directory, "wait", "--url", f"{server.url}/").stdout == f"{server.url}\n"


def test_wait_gives_up_after_its_timeout(tmp_path: Path):
    for options, named in (
        (("--ready-file", "none"), "none, which is not there yet"),
        (("--url", "http://127.0.0.1:1"), "127.0.0.1:1"),
    ):
        message = refusal(tmp_path, "wait", *options, "--timeout", "0.2")
        assert named in message
        assert "did not answer within 0.2 s" in message
