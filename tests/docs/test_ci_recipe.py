"""The files for CI in core6/docs/operation.md work when they are pasted."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.support.documents import files
from tests.support.places import place
from tests.support.plugin import PLUGIN, run
from tests.support.serving import wait_until

RECIPE = {name: text for name, text in files().items() if name.startswith(("tests/", "pytest.ini"))}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """The pasted files, in a directory outside of this one."""
    for name, text in RECIPE.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


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
    modules = {path.stem: path.read_text() for path in PLUGIN.glob("*.py")}
    imported = {name for text in modules.values() for name in re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)}
    assert imported <= {*sys.stdlib_module_names, "pytest", *modules}


def test_the_job_installs_server_and_plugin():
    steps = yaml.safe_load(files()[".github/workflows/test.yml"])["jobs"]["test"]["steps"]
    runs = [step["run"] for step in steps if "run" in step]
    assert any(line.startswith("pipx install git+") for line in runs)
    assert any("#subdirectory=tests/plugin" in line for line in runs)
    assert (PLUGIN / "pyproject.toml").exists()
    assert runs[-1] == "pytest tests"
