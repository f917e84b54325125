"""Both wheels, installed outside of the checkout: from an empty directory, and beside another Django project."""

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core6.settings import BASE_DIR
from tests.support.places import place

PLUGIN = BASE_DIR / "tests" / "plugin"
#: Of the application that is tested: none of it is for Core6.
FOREIGN = {
    "DATABASE_URL": "postgres://theirs:secret@127.0.0.1:1/theirs",
    "SECRET_KEY": "theirs",
    "DEBUG": "nonsense",
    "DJANGO_SETTINGS_MODULE": "mysite.settings",
    "PGPASSWORD": "theirs",
    "PGHOST": "127.0.0.1",
}
CURL = 'curl -sf -H "Authorization: Bearer $CORE6_API_KEY" "$CORE6_URL/api/projects/@current/annotations/"'


def run(*command: str, cwd: Path, **given: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        command, cwd=cwd, env={**inherited, **given}, capture_output=True, text=True, timeout=300, check=False
    )


def passed(*command: str, cwd: Path, **given: str) -> str:
    done = run(*command, cwd=cwd, **given)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def new_environment(directory: Path, *packages: str) -> Path:
    """Make a virtual environment with packages; return its directory of programs."""
    passed(sys.executable, "-m", "venv", "--without-pip", str(directory), cwd=directory.parent)
    pip = ("-m", "pip", "--python", str(directory / "bin" / "python"), "install", "--quiet")
    passed(os.environ.get("PYTHON", "python3"), *pip, *packages, cwd=directory.parent)
    return directory / "bin"


@pytest.fixture(scope="module")
def wheels() -> Iterator[Path]:
    with place() as parent:
        passed("make", "--silent", "wheel", f"DIST={parent}", cwd=BASE_DIR)
        yield parent


@pytest.fixture(scope="module")
def programs(wheels: Path) -> Path:
    return new_environment(wheels / "environment", str(next(wheels.glob("core6-*.whl"))))


@pytest.fixture
def empty() -> Iterator[Path]:
    with place() as directory:
        yield directory


@pytest.fixture
def theirs(empty: Path) -> Path:
    """The directory of a Django project that has an app called projects."""
    for name, text in {
        "mysite/__init__.py": "",
        "mysite/settings.py": "INSTALLED_APPS = ['projects']\nSECRET_KEY = 'theirs'\n",
        "projects/__init__.py": "",
        "projects/models.py": "from django.db import models\n\n\nclass Theirs(models.Model):\n    pass\n",
        "roles/__init__.py": "raise SystemExit('this is not the package of Core6')\n",
    }.items():
        (empty / name).parent.mkdir(exist_ok=True)
        (empty / name).write_text(text)
    return empty


def test_the_wheels_hold_no_package_but_core6(wheels: Path):
    plugin = {"pytest_core6.py", "pytest_core6_lab.py"}
    for pattern, own in (("core6-*.whl", {"core6"}), ("pytest_core6-*.whl", plugin)):
        names = zipfile.ZipFile(next(wheels.glob(pattern))).namelist()
        assert {name.split("/")[0] for name in names if ".dist-info" not in name} == own
        assert not [name for name in names if re.search(r"(^|/)(test_|conftest|\.)|\.pyc$", name)]


def test_the_command_lists_what_it_can_do(programs: Path, empty: Path):
    shown = passed(str(programs / "core6"), "--help", cwd=empty)
    assert "usage: core6 COMMAND" in shown
    assert "manage.py" not in shown
    assert re.fullmatch(r"Core6 \d+\.\d+\.\d+\n", passed(str(programs / "core6"), "--version", cwd=empty))
    assert list(empty.iterdir()) == []


def test_it_serves_from_an_empty_directory(programs: Path, empty: Path):
    shown = passed(str(programs / "core6"), "serve", "--port", "0", "--exec", CURL, cwd=empty, **FOREIGN)
    assert '"results":[' in shown
    assert [path.name for path in empty.iterdir()] == [".core6"]
    assert (empty / ".core6" / ".gitignore").read_text() == "*\n"
    assert "All" in passed(str(programs / "core6"), "verify", cwd=empty, **FOREIGN)


def test_it_serves_beside_a_project_that_has_an_app_of_the_same_name(wheels: Path, programs: Path, theirs: Path):
    given = {**FOREIGN, "PYTHONPATH": str(theirs)}
    shown = passed(str(programs / "core6"), "serve", "--fresh", "--port", "0", "--exec", CURL, cwd=theirs, **given)
    assert '"results":[' in shown
    assert not (theirs / ".core6").exists()
    other = new_environment(
        theirs / "environment", "django==4.2.*", "pytest-xdist", str(next(wheels.glob("pytest_core6-*.whl")))
    )
    check = "import django; django.setup(); from projects.models import Theirs; print(django.VERSION[:2])"
    assert passed(str(other / "python"), "-c", check, cwd=theirs, **given) == "(4, 2)\n"
    example = (str(PLUGIN / "example"), "--rootdir", str(theirs), "-c", os.devnull, "--noconftest", "-q", "-n", "2")
    server = f"--core6-command={programs / 'core6'}"
    shown = passed(
        str(other / "python"), "-m", "pytest", "-p", "no:cacheprovider", server, *example, cwd=theirs, **given
    )
    assert " passed" in shown


def test_only_names_with_the_prefix_are_read(programs: Path, empty: Path):
    done = run(str(programs / "core6"), "serve", cwd=empty, CORE6_DATABASE_URL="nonsense", **FOREIGN)
    assert (done.returncode, done.stderr) == (
        1,
        "error: CORE6_DATABASE_URL names no Postgres: use postgres://user:password@host:5432/name\n",
    )
