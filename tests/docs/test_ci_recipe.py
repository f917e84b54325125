"""The files for CI in core6/docs/operation.md work when they are pasted."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from core6.settings import BASE_DIR
from tests.support.documents import files
from tests.support.places import place
from tests.support.serving import PATIENCE, wait_until

PLUGIN = BASE_DIR / "tests" / "plugin"
RECIPE = {name: text for name, text in files().items() if name.startswith(("tests/", "pytest.ini"))}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """The pasted files, in a directory outside of this one."""
    for name, text in RECIPE.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def run(suite: Path, temporary: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest with the plugin, where the environment configures another application, too."""
    foreign = {"DATABASE_URL": "mysql://theirs", "ALLOWED_HOSTS": "theirs.example.com", "PYTHONPATH": str(PLUGIN)}
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    server = shlex.join([sys.executable, str(BASE_DIR / "manage.py")])
    options = ("-p", "no:django", "-p", "no:cacheprovider", "-p", "pytest_core6", f"--core6-command={server}")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments],
        cwd=suite,
        env={**inherited, **foreign, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        check=False,
    )


@pytest.mark.whole
def test_the_recipe_works_as_it_is_pasted_and_leaves_nothing(suite: Path):
    with place() as temporary:
        done = run(suite, temporary, "-q", "tests")
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"^2 passed", done.stdout, re.MULTILINE), done.stdout
        assert list(temporary.iterdir()) == []


@pytest.mark.whole
def test_a_failure_is_shown_and_the_server_stopped(suite: Path):
    (suite / "tests" / "world.yaml").write_text("users: [{mail: nobody}]")
    with place() as temporary:
        done = run(suite, temporary, "-q", "tests")
        assert done.returncode == 1
        assert "the server did not start" in done.stdout
        assert "users[0].email: this property is required" in done.stdout + done.stderr
        wait_until(lambda: list(temporary.iterdir()) == [], "end of the server")


def test_the_plugin_needs_nothing_but_pytest():
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == ["pytest>=8"]
    imported = set(re.findall(r"^(?:from|import) (\w+)", (PLUGIN / "pytest_core6.py").read_text(), re.MULTILINE))
    assert imported - {"collections", "pathlib", "typing"} <= {*sys.stdlib_module_names, "pytest"}


def test_the_job_installs_server_and_plugin():
    steps = yaml.safe_load(files()[".github/workflows/test.yml"])["jobs"]["test"]["steps"]
    runs = [step["run"] for step in steps if "run" in step]
    assert any(line.startswith("pipx install git+") for line in runs)
    assert any("#subdirectory=tests/plugin" in line for line in runs)
    assert (PLUGIN / "pyproject.toml").exists()
    assert runs[-1] == "pytest tests"
