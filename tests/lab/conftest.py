"""One `serve --lab` for all tests of this directory; each test begins without faults, journal, clock and strictness."""

from collections.abc import Iterator

import pytest

from tests.support.lab import Lab, lab


@pytest.fixture(scope="session")
def running_lab() -> Iterator[Lab]:
    with lab() as found:
        yield found


@pytest.fixture(name="lab")
def clean_lab(running_lab: Lab) -> Iterator[Lab]:
    running_lab.begin_anew()
    before = len(running_lab.server.complaints())
    yield running_lab
    # The job worker warns of a cohort that cannot be computed.
    assert [line for line in running_lab.server.complaints()[before:] if '"level":"warning"' not in line] == []
