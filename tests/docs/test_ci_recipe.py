"""The files for CI in core6/docs/operation.md work when they are pasted."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from core6.settings import BASE_DIR
from tests.support.documents import files
from tests.support.places import place
from tests.support.serving import PATIENCE, wait_until

RECIPE = {name: text for name, text in files().items() if name.startswith("tests/")}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """The pasted files, in a directory outside of this one."""
    for name, text in RECIPE.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def run(suite: Path, temporary: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest as somebody whose own application is configured by the environment, too."""
    foreign = {"CORE6": str(BASE_DIR), "DATABASE_URL": "mysql://theirs", "ALLOWED_HOSTS": "theirs.example.com"}
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, "-m", "pytest", "-p", "no:django", "-p", "no:cacheprovider", *arguments, "tests"]
    return subprocess.run(
        command,
        cwd=suite,
        env={**inherited, **foreign, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_the_fixture_works_as_it_is_pasted_and_leaves_nothing(suite: Path):
    with place() as temporary:
        done = run(suite, temporary, "-q")
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"^2 passed", done.stdout, re.MULTILINE), done.stdout
        assert list(temporary.iterdir()) == []


def test_a_failure_is_shown_and_the_server_stopped(suite: Path):
    (suite / "tests" / "world.yaml").write_text("users: [{mail: nobody}]")
    with place() as temporary:
        done = run(suite, temporary, "-q")
        assert done.returncode == 1
        assert "Core6 did not start" in done.stdout
        assert "users[0].email: this property is required" in done.stdout + done.stderr
        wait_until(lambda: list(temporary.iterdir()) == [], "end of the server")


def test_the_job_installs_what_the_fixture_runs():
    job = yaml.safe_load(files()[".github/workflows/test.yml"])["jobs"]["test"]
    checkout = next(step["with"] for step in job["steps"] if step.get("with", {}).get("repository"))
    assert f'os.environ.get("CORE6", "{checkout["path"]}")' in RECIPE["tests/conftest.py"]
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert f"make -C {checkout['path']} install" in runs
    assert re.search(r"^install:$", (BASE_DIR / "Makefile").read_text(), re.MULTILINE)
    assert runs[-1] == "pytest tests"
    python = next(step["with"]["python-version"] for step in job["steps"] if "setup-python" in step.get("uses", ""))
    assert f"python-{python}-" in next(step["with"]["key"] for step in job["steps"] if "cache@" in step.get("uses", ""))
