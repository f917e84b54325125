"""The disk is full while clients write, and has room again."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.suites.chaos.invariants import Allowed
from tests.suites.chaos.stage import stage

_MEGABYTES = 256


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small file system of its own, where data directories are made; only root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_MEGABYTES}m,mode=755", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"a small file system is needed, run this as root: {done.stderr.strip()}"
    for parent in (place, *place.parents[:3]):
        parent.chmod(0o755)  # the account of the database must get there
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_the_disk_is_full(disk: Path):
    """Postgres may end itself when it cannot write its log: then nobody knows what became of a commit."""
    with stage() as scene, scene.survive("disk full", Allowed(doubtful_503=True)) as crowd:
        balloon = disk / "balloon"
        fill(balloon)
        before = len(crowd.calls)
        time.sleep(10)
        refused = [call for call in crowd.calls[before:] if call.status == 503]
        balloon.unlink()
        assert refused, "the disk was not full enough"


def fill(balloon: Path) -> None:
    """Take all the room that is left."""
    with balloon.open("wb", buffering=0) as file:
        for size in (2**20, 2**12):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)
