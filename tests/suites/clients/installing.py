"""Installs the clients from their lock files, each into a place of its own: their dependencies exclude each other."""

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core6.settings import BASE_DIR

HERE = Path(__file__).parent
#: Beside what `make` installs, and thrown away with it.
PLACES = BASE_DIR / ".venv" / "clients"


def python_client(name: str) -> Path:
    """Return the virtual environment of a client of PyPI."""
    place, lock = PLACES / name, HERE / f"{name}.lock"
    with _one_at_a_time(place):
        if not _is_installed(place, lock):
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            base = Path(sys.base_prefix, "bin", f"python{version}")
            options = ("--quiet", "--disable-pip-version-check", "--require-hashes")
            _run(place, base, "-m", "venv", "--without-pip", place)
            _run(place, base, "-m", "pip", "--python", place / "bin" / "python", "install", *options, "-r", lock)
            _remember(place, lock)
    return place


def node_client(package: str) -> Path:
    """Return the directory of a package of npm that package.json names."""
    place, lock = PLACES / "npm", HERE / "package-lock.json"
    with _one_at_a_time(place):
        if not _is_installed(place, lock):
            for file in (HERE / "package.json", lock):
                shutil.copy(file, place)
            # Peers are frameworks for agents, without which the packages work, too.
            _run(place, "npm", "ci", "--ignore-scripts", "--omit=peer", "--no-audit", "--no-fund")
            _remember(place, lock)
    return place / "node_modules" / package


@contextmanager
def _one_at_a_time(place: Path) -> Iterator[None]:
    """Let one process of pytest install into a place while the others wait for it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(f"{place.name}.installing").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_installed(place: Path, lock: Path) -> bool:
    """Return whether what this lock names is there; if not, leave an empty directory."""
    with_lock = place / "installed"
    if with_lock.is_file() and with_lock.read_bytes() == lock.read_bytes():
        return True
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return False


def _remember(place: Path, lock: Path) -> None:
    shutil.copy(lock, place / "installed")


def _run(place: Path, *command: str | Path) -> None:
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
