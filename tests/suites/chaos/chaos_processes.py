"""Processes are killed, stopped by a signal and frozen while clients write."""

import os
import signal
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.suites.chaos.invariants import Allowed
from tests.suites.chaos.stage import Stage
from tests.support.places import place
from tests.support.serving import none_survives, serving, survivors, wait_until


def test_web_workers_are_killed(scene: Stage):
    with scene.survive("SIGKILL of web workers", Allowed(resets=True)):
        web = scene.child("core6.serving")
        for worker in web.children():
            worker.kill()
            others = {process.pid for process in web.children()} - {worker.pid}
            wait_until(partial(has_new_child, web, others), "new worker")
            time.sleep(1)


def has_new_child(process: psutil.Process, old: set[int]) -> bool:
    for each in process.children():
        with suppress(psutil.NoSuchProcess):
            if each.pid not in old and each.status() != psutil.STATUS_ZOMBIE:
                return True
    return False


def test_a_web_worker_is_killed_again_and_again(scene: Stage):
    """The web server may give up then, and is started again as a whole."""
    with scene.survive("SIGKILL of web workers that just came", Allowed(resets=True, absence=True)):
        for _ in range(4):
            for process in scene.child("core6.serving").children():
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            time.sleep(1)


def test_everything_is_killed(scene: Stage):
    with scene.survive("SIGKILL of everything", Allowed(resets=True, absence=True, doubtful_503=True)):
        scene.kill_everything()
        scene.start_again()


def test_a_server_ends_on_a_signal(scene: Stage):
    with scene.survive("SIGTERM", Allowed(absence=True, only_idle_resets=True)):
        began = time.monotonic()
        assert scene.server.stop() == 0
        assert time.monotonic() - began < 10
        assert survivors(scene.directory) == []
        assert scene.server.complaints() == []
        scene.start_again()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_database_is_killed(scene: Stage, number: int):
    with scene.survive(f"signal {number} to the postmaster", Allowed(doubtful_503=True)):
        old = scene.child("postgres")
        old.send_signal(number)
        psutil.wait_procs([old], timeout=15)
        wait_until(lambda: scene.child("postgres").pid != old.pid, "new database")


def test_the_database_is_frozen(scene: Stage):
    with scene.survive("a database frozen for 10 s"):
        postmaster = scene.child("postgres")
        frozen = [postmaster, *postmaster.children(recursive=True)]
        for process in frozen:
            process.suspend()
        time.sleep(10)
        for process in frozen:
            process.resume()


def test_children_that_do_not_answer_to_a_stop_are_given_up_in_time():
    with place() as parent, serving(parent / "data") as server:
        frozen = [
            process
            for process in psutil.Process(server.process.pid).children()
            if Path(process.exe()) == Path(os.path.realpath(sys.executable))
        ]
        assert len(frozen) == 2
        for process in frozen:
            process.send_signal(signal.SIGSTOP)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0
        none_survives(parent / "data")
