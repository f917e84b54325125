import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from core6.database import processes

SLEEP = (sys.executable, "-c", "import time; print('in', flush=True); time.sleep(60)")
STUBBORN = (
    sys.executable,
    "-c",
    # What a shell starts in the background ignores SIGINT unless it says otherwise.
    (
        "import signal, time; signal.signal(15, signal.SIG_IGN); signal.signal(2, signal.default_int_handler)\n"
        "print('in', flush=True); time.sleep(60)"
    ),
)


@pytest.fixture
def started() -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Start children that have come to their own code, and end them after the test."""
    children = []

    def start(command: tuple[str, ...] = SLEEP) -> "subprocess.Popen[bytes]":
        child = processes.spawn(command, on_parent_death=signal.SIGKILL, stdout=subprocess.PIPE)
        children.append(child)
        assert child.stdout is not None
        child.stdout.readline()
        return child

    yield start
    for child in children:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def test_stop_asks_by_the_signal(started):
    child = started()
    processes.stop(child, signal.SIGTERM, 10)
    assert child.returncode == -signal.SIGTERM


def test_stop_uses_the_second_signal_on_a_process_that_ignores_the_first(started):
    child = started(STUBBORN)
    processes.stop(child, signal.SIGTERM, 0.5, then=signal.SIGINT)
    assert child.returncode in {1, -signal.SIGINT}


def test_stop_uses_force_in_the_end(started):
    child = started(STUBBORN)
    processes.stop(child, signal.SIGTERM, 0.1, then=signal.SIGTERM)
    assert child.returncode == -signal.SIGKILL


def test_stop_leaves_a_dead_process_alone(started):
    child = started()
    child.kill()
    child.wait()
    processes.stop(child, signal.SIGTERM, 10)
    assert child.returncode == -signal.SIGKILL


def test_a_child_has_a_session_of_its_own(started):
    child = started()
    assert psutil.Process(child.pid).terminal() is None


def test_a_child_dies_with_its_parent():
    code = (
        "import signal, sys, time; from core6.database import processes\n"
        f"child = processes.spawn({SLEEP!r}, on_parent_death=signal.SIGKILL)\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
        try:
            psutil.wait_procs([child], timeout=10)
            assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
        finally:
            if child.is_running():
                child.kill()


def tended(child: processes.Child, monkeypatch, *, seconds: float = processes.RESTART_SECONDS) -> str | None:
    """Tend once more, some seconds later."""
    later = time.monotonic() + seconds
    monkeypatch.setattr("core6.database.processes.time.monotonic", lambda: later)
    said = child.tend()
    monkeypatch.undo()
    return said


def test_a_living_child_is_left_alone(started, monkeypatch):
    child = processes.Child("the sleeper", started)
    before = child.process
    assert tended(child, monkeypatch) is None
    assert child.process is before


def test_a_dead_child_is_started_again(started, monkeypatch):
    child = processes.Child("the sleeper", started)
    child.process.kill()
    child.process.wait()
    assert tended(child, monkeypatch) == "the sleeper ended with code -9 and was started again"
    assert child.process.poll() is None


def test_a_child_is_not_started_again_at_once(started):
    child = processes.Child("the sleeper", started)
    child.process.kill()
    child.process.wait()
    assert child.tend() is None
    assert child.process.returncode == -9


def test_a_child_that_cannot_be_started_is_tried_again(started, monkeypatch):
    command: tuple[str, ...] = SLEEP
    child = processes.Child("the sleeper", lambda: started(command))
    child.process.kill()
    child.process.wait()
    command = ("/not/there",)
    said = tended(child, monkeypatch)
    assert said is not None
    assert said.startswith("the sleeper ended with code -9 and cannot be started: ")
    command = SLEEP
    assert "started again" in (tended(child, monkeypatch, seconds=2 * processes.RESTART_SECONDS) or "")
