"""One server for a whole file, and the line that sums up a run."""

from collections.abc import Iterator

import pytest

from tests.suites.chaos.stage import TOTALS, Stage, stage


@pytest.fixture(scope="module")
def scene() -> Iterator[Stage]:
    with stage() as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TOTALS.faults:
        terminalreporter.write_line(f"chaos: {TOTALS}")
