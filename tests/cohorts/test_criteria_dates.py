import os
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from cohorts.criteria import moment

NOW = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("-7d", timedelta(days=7)),
        ("7d", timedelta(days=7)),
        ("30d", timedelta(days=30)),
        ("-1w", timedelta(days=7)),
        ("-1m", timedelta(days=30)),
        ("-1y", timedelta(days=365)),
        ("-24h", timedelta(hours=24)),
        ("0d", timedelta()),
        ("-007d", timedelta(days=7)),
        ("9999d", timedelta(days=9999)),
    ],
)
def test_a_relative_date_is_so_long_ago(text: str, ago: timedelta):
    assert moment(text, NOW) == NOW - ago


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-15", datetime(2024, 1, 15, tzinfo=UTC)),
        ("2024-01-15T10:30:00Z", datetime(2024, 1, 15, 10, 30, tzinfo=UTC)),
        ("2024-01-15T10:30:00+00:00", datetime(2024, 1, 15, 10, 30, tzinfo=UTC)),
        ("2024-01-15T10:30:00+02:00", datetime(2024, 1, 15, 8, 30, tzinfo=UTC)),
        ("2024-01-15 10:30:00.123456", datetime(2024, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)),
        ("2024-01-15 10:30 UTC", datetime(2024, 1, 15, 10, 30, tzinfo=UTC)),
        ("2024-01-15 10:30 -0500", datetime(2024, 1, 15, 15, 30, tzinfo=UTC)),
        ("2024-1-5", datetime(2024, 1, 5, tzinfo=UTC)),
        ("20240115", datetime(2024, 1, 15, tzinfo=UTC)),
        ("January 15, 2024", datetime(2024, 1, 15, tzinfo=UTC)),
        ("15 Jan 2024 10:30", datetime(2024, 1, 15, 10, 30, tzinfo=UTC)),
        ("2024", datetime(2024, 1, 1, tzinfo=UTC)),
        ("12", datetime(1970, 1, 12, tzinfo=UTC)),
        ("10:30", datetime(1970, 1, 1, 10, 30, tzinfo=UTC)),
    ],
)
def test_any_other_date_is_read_without_a_zone_as_utc(text: str, expected: datetime):
    found = moment(text, NOW)
    assert (found, found.tzinfo) == (expected, UTC)


def test_a_relative_date_is_in_utc():
    found = moment("1h", NOW.astimezone(timezone(timedelta(hours=5))))
    assert (found, found.tzinfo) == (NOW - timedelta(hours=1), UTC)


@pytest.mark.parametrize("text", ["2024", "10:30", "January", "Monday", "12"])
def test_what_a_date_leaves_out_does_not_depend_on_the_day(text: str):
    assert moment(text, NOW) == moment(text, NOW + timedelta(days=1234))


@pytest.mark.parametrize(
    "text",
    [
        "garbage",
        "-99999d",
        "10000d",
        "",
        " ",
        "9999999999",
        "99999999999999999999",
        "9999y",
        "5s",
        "5x",
        "5D",
        "--5d",
        "٣d",
        "d",
        "2024-13-01",
        "2024-02-30",
        "2024-01-15T25:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2024-01-15 10:30 +99:99",
        "2024-01-15 10:30 CET",
        "1e400",
        "NaN",
        "Infinity",
        "\0",
        pytest.param("\ud800", id="surrogate"),
        "🦔",
        pytest.param("1" * 10_000, id="long"),
        "(" * 100,
    ],
)
def test_what_is_no_date_is_a_value_error(text: str):
    with pytest.raises(ValueError, match="is no date"):
        moment(text, NOW)


def test_the_zone_of_the_server_does_not_matter(monkeypatch: pytest.MonkeyPatch):
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert moment("2024-01-15", NOW) == datetime(2024, 1, 15, tzinfo=UTC)
        with pytest.raises(ValueError, match="is no date"):
            moment("2024-01-15 10:30 EST", NOW)
    finally:
        if before is None:
            monkeypatch.delenv("TZ")
        else:
            monkeypatch.setenv("TZ", before)
        time.tzset()
