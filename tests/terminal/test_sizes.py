import pytest

from core6.terminal.sizes import limit, size


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        *[(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2000, "2.0 kB"), (123_456, "123 kB")],
        *[(5e6, "5.0 MB"), (3e9, "3.0 GB"), (9 * 10**12, "9000 GB"), (1e15, "1000000 GB")],
    ],
)
def test_sizes_are_for_people(count: float, shown: str):
    assert size(count) == shown


@pytest.mark.parametrize(("count", "shown"), [(64 * 1024, "64 KB"), (1024**2, "1 MB"), (10 * 1024**2, "10 MB")])
def test_limits_are_whole_units(count: int, shown: str):
    assert limit(count) == shown
