"""Progress bars for long work, on stderr if that is a terminal."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core6.terminal.sizes import size

if TYPE_CHECKING:
    from rich.progress import Progress

#: Work that takes less is not shown.
QUIET_SECONDS = 2.0
_REFRESH_SECONDS = 0.1


@dataclass(eq=False)
class Work:
    """Work in progress: its current part, and the amount done of the total, if that is known."""

    what: str
    total: float | None = None
    is_bytes: bool = False
    now: str = ""
    done: float = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        return f"{self.what}: {self.now}" if self.now else self.what

    @property
    def amount(self) -> str:
        """The amount done, as text."""
        text = size if self.is_bytes else "{:.0f}".format
        if self.total:
            return f"{100 * min(1, self.done / self.total):.0f}% {text(self.done)}/{text(self.total)}"
        return text(self.done) if self.done else ""


_works: list[Work] = []


@contextmanager
def progress(what: str, total: float | None = None, *, is_bytes: bool = False) -> Iterator[Work]:
    """Show a progress bar of the work in the block after QUIET_SECONDS, a pulsing one without a total.

    Nested work is shown on a line below.
    """
    work = Work(what, total or None, is_bytes)
    if not sys.stderr.isatty():
        yield work
        return
    is_over = threading.Event()
    # In a thread, since the work may be one statement that runs for minutes.
    thread = None if _works else threading.Thread(target=_show, args=[is_over], daemon=True)
    _works.append(work)
    try:
        if thread:
            thread.start()
        yield work
    finally:
        is_over.set()
        _works.remove(work)
        if thread:
            thread.join()


def _show(is_over: threading.Event) -> None:
    """Show all work until the outermost is over."""
    if is_over.wait(QUIET_SECONDS):
        return
    with _display() as display:
        shown: dict[Work, Any] = {}
        while True:
            works = list(_works)
            for work in shown.keys() - works:
                display.remove_task(shown.pop(work))
            for work in works:
                if work not in shown:
                    shown[work] = display.add_task(work.name, total=work.total, amount="")
                    display.tasks[-1].start_time = work.began
                display.update(shown[work], description=work.name, completed=work.done, amount=work.amount)
            if is_over.wait(_REFRESH_SECONDS):
                return


def _display() -> "Progress":
    from rich import progress as parts  # noqa: PLC0415  # a slow import that quick work does not need
    from rich.console import Console  # noqa: PLC0415

    return parts.Progress(
        parts.TextColumn("{task.description}", markup=False),  # a file name may contain brackets
        parts.BarColumn(bar_width=20),
        parts.TextColumn("{task.fields[amount]}"),
        parts.TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
