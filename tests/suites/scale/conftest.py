"""A primary and its replica for all of these tests, and a place for the figures of each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.suites.scale.servers import Postgres
from tests.support.places import place

_FIGURES: list[str] = []


@dataclass
class Pair:
    """Two servers, the second a replica of the first."""

    parent: Path
    primary: Postgres
    replica: Postgres


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    with place() as parent:
        made = Pair(parent, Postgres(parent / "primary"), Postgres(parent / "replica"))
        try:
            made.primary.start()
            made.primary.configure(shared_preload_libraries="pg_stat_statements", wal_keep_size="512MB")
            made.primary.restart()
            made.primary.ask("CREATE EXTENSION pg_stat_statements")
            made.replica.follow(made.primary)
            yield made
        finally:
            made.replica.end()
            made.primary.end()


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    return lambda line: _FIGURES.append(f"{request.node.name.removeprefix('test_').replace('_', ' ')}: {line}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _FIGURES:
        terminalreporter.write_line(line)
