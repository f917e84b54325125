"""A user at a terminal sees the progress of a long command; without a terminal nothing is shown."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core6.database import embedded, locks
from core6.management import database_command
from core6.settings import BASE_DIR
from core6.terminal import progress
from core6.terminal.progress import Work
from tests.provisioning.test_people import Terminal
from tests.support.places import connect, place
from tests.support.sampling import sampled
from tests.support.serving import MANAGE, PATIENCE, environment, manage, wait_until

_MIGRATION = f"SELECT pg_advisory_lock({locks.MIGRATION.key})"
_COHORTS = "LOCK TABLE cohorts_cohort"


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """A data directory whose database runs and is up to date."""
    with place() as parent:
        server = embedded.Server(parent / "data", is_durable=False)
        server.start()
        assert manage(parent / "data", "provision", "-").returncode == 0
        yield parent / "data"
        server.stop()


@dataclass
class Seen:
    """What a command wrote while something held it up, and in all."""

    code: int
    stdout: str
    stderr: str


def held_up(directory: Path, lock: str, text: str, *command: str, is_terminal: bool = True) -> Seen:
    """Run a command while a lock is held, until its stderr shows a text; without a terminal until it must have."""
    ours, theirs = pty.openpty() if is_terminal else os.pipe()
    os.set_blocking(ours, False)
    shown = b""

    def reads(text: str) -> bool:
        nonlocal shown
        with suppress(BlockingIOError, OSError):
            shown += os.read(ours, 65536)
        return text in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode(errors="replace"))

    with connect(directory) as holder:
        holder.execute(lock.encode())
        process = subprocess.Popen(
            [*MANAGE, *command],
            cwd=BASE_DIR,
            env=environment(directory, {"TERM": "xterm", "COLUMNS": "120"}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
        )
        os.close(theirs)
        try:
            if is_terminal:
                wait_until(lambda: reads(text), f"sight of {text!r}", 20)
            else:
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(progress.QUIET_SECONDS + 3)
            holder.rollback()
            holder.execute("SELECT pg_advisory_unlock_all()")
            stdout, _ = process.communicate(timeout=PATIENCE)
            reads("")
        finally:
            process.kill()
            os.close(ours)
    return Seen(process.returncode, stdout, shown.decode())


@pytest.mark.parametrize(
    ("lock", "text", "command"),
    sampled(
        [
            (_COHORTS, "Checking: cohort_counts", ["verify", "--json"]),
            (_COHORTS, "Writing the backup", ["backup", "FILE"]),
            (_MIGRATION, "Bringing the database up to date: waiting for another", ["reencrypt_secrets"]),
        ],
        3,
    ),
)
def test_a_terminal_sees_what_a_command_is_at(
    directory: Path, tmp_path: Path, lock: str, text: str, command: list[str]
):
    seen = held_up(directory, lock, text, *(str(tmp_path / "file") if part == "FILE" else part for part in command))
    assert seen.code == 0, seen
    assert text not in seen.stdout
    assert seen.stderr.count("\x1b[?25h") == seen.stderr.count("\x1b[?25l") == 1  # the cursor is shown again
    if "--json" in command:
        json.loads(seen.stdout)


@pytest.mark.whole
def test_what_is_no_terminal_sees_nothing(directory: Path):
    seen = held_up(directory, _COHORTS, "", "verify", is_terminal=False)
    assert (seen.code, seen.stderr) == (0, "")


def test_what_is_quick_shows_nothing(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.progress("Quick", 3) as work:
        work.done += 1
    assert terminal.getvalue() == ""


def test_work_inside_of_work_is_shown_below_it_until_it_is_over(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    with progress.progress("Starting") as outer:
        with progress.progress("Reading", 4) as inner:
            inner.done = 3
            wait_until(lambda: re.search("Starting.*\n.*Reading.* 75% 3/4", terminal.getvalue()), "both")
        outer.now = "the web server"
        terminal.truncate(0)
        wait_until(lambda: "Starting: the web server" in terminal.getvalue(), "the outer one")
        wait_until(lambda: "Reading" not in terminal.getvalue().rpartition("web server")[2], "the end of the inner one")
    terminal.truncate(0)
    with progress.progress("Next"):
        wait_until(lambda: "Next" in terminal.getvalue(), "next work")
    assert "Starting" not in terminal.getvalue()


def test_an_error_takes_the_display_away(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)

    def fail() -> None:
        with progress.progress("Working"):
            wait_until(lambda: "Working" in terminal.getvalue(), "display")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    shown = terminal.getvalue()
    assert shown.count("\x1b[?25h") == shown.count("\x1b[?25l")  # the cursor is shown again
    assert shown.endswith("\x1b[2K")  # and the line is empty
    with progress.progress("Next"):
        wait_until(lambda: "Next" in terminal.getvalue(), "next work")


@pytest.mark.django_db
def test_each_migration_is_named(monkeypatch: pytest.MonkeyPatch):
    work, named = Work("Bringing up to date"), []
    command: Any = database_command.MigrateWithProgress(work)
    for action in ("apply_start", "apply_success"):
        command.migration_progress_callback(action, f"projects.{action}")
        named.append(work.now)
    assert named == ["projects.apply_start"] * 2


@pytest.mark.parametrize(
    ("work", "shown"),
    [
        (Work("x"), ""),
        (Work("x", done=7), "7"),
        (Work("x", total=20, done=5), "25% 5/20"),
        (Work("x", total=2_000_000, is_bytes=True, done=1_000_000), "50% 1.0 MB/2.0 MB"),
        (Work("x", is_bytes=True, done=5_000_000), "5.0 MB"),
        (Work("x", total=10, done=12), "100% 12/10"),
    ],
)
def test_how_far_it_is_reads_well(work: Work, shown: str):
    assert work.amount == shown
