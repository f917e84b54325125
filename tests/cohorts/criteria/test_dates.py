import os
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from cohorts.criteria.dates import Clock, moment

NOW = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)
CLOCK = Clock(NOW)


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
        ("-30M", timedelta(minutes=30)),
        ("-1q", timedelta(days=90)),
        ("0d", timedelta()),
        ("-007d", timedelta(days=7)),
        ("9999d", timedelta(days=9999)),
    ],
)
def test_a_relative_date_is_so_long_ago(text: str, ago: timedelta):
    assert moment(text, CLOCK) == NOW - ago


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
        ("January 2024", datetime(2024, 1, 1, tzinfo=UTC)),
        ("01/02/2024", datetime(2024, 1, 2, tzinfo=UTC)),
    ],
)
def test_any_other_date_is_read_without_a_zone_as_utc(text: str, expected: datetime):
    found = moment(text, CLOCK)
    assert (found, found.tzinfo) == (expected, UTC)


def test_a_relative_date_is_in_utc():
    found = moment("1h", Clock(NOW.astimezone(timezone(timedelta(hours=5)))))
    assert (found, found.tzinfo) == (NOW - timedelta(hours=1), UTC)


@pytest.mark.parametrize("text", ["2024", "January 2024", "10:30 2024"])
def test_what_a_date_leaves_out_does_not_depend_on_the_day(text: str):
    assert moment(text, CLOCK) == moment(text, Clock(NOW + timedelta(days=1234)))


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
        "1712000000",
        "1712000000000",
        "9999y",
        "12",
        "10:30",
        "January",
        "Monday",
        "01/02/24",
        "10-11-12",
        "5H",
        "-10000dStart",
        "qStart",
        "dstart",
        "dEnd",
        "\u0662\u0660\u0662\u0664-01-15",
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
        moment(text, CLOCK)


def test_the_zone_of_the_server_does_not_matter(monkeypatch: pytest.MonkeyPatch):
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert moment("2024-01-15", CLOCK) == datetime(2024, 1, 15, tzinfo=UTC)
        with pytest.raises(ValueError, match="is no date"):
            moment("2024-01-15 10:30 EST", CLOCK)
    finally:
        if before is None:
            monkeypatch.delenv("TZ")
        else:
            monkeypatch.setenv("TZ", before)
        time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dStart", datetime(2025, 3, 10, 4, tzinfo=UTC)),
        ("-1dStart", datetime(2025, 3, 9, 5, tzinfo=UTC)),
        ("1dStart", datetime(2025, 3, 9, 5, tzinfo=UTC)),
        ("wStart", datetime(2025, 3, 9, 5, tzinfo=UTC)),
        ("-1wStart", datetime(2025, 3, 2, 5, tzinfo=UTC)),
        ("mStart", datetime(2025, 3, 1, 5, tzinfo=UTC)),
        ("-3mStart", datetime(2024, 12, 1, 5, tzinfo=UTC)),
        ("yStart", datetime(2025, 1, 1, 5, tzinfo=UTC)),
        ("-1yStart", datetime(2024, 1, 1, 5, tzinfo=UTC)),
    ],
)
def test_a_start_is_that_of_the_unit_in_the_zone(text: str, expected: datetime):
    assert moment(text, Clock(NOW, "America/New_York")) == expected  # summer time began on March 9


@pytest.mark.parametrize(("week_start_day", "day"), [(0, 9), (1, 10)])
def test_a_week_begins_on_the_first_day_of_the_project(week_start_day: int, day: int):
    assert moment("wStart", Clock(NOW, "UTC", week_start_day)) == datetime(2025, 3, day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20", datetime(2026, 11, 20, 5, tzinfo=UTC)),
        ("January 15, 2024 10:30", datetime(2024, 1, 15, 15, 30, tzinfo=UTC)),
        ("2026-11-20T00:00:00Z", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2025-11-02T01:30:00", datetime(2025, 11, 2, 6, 30, tzinfo=UTC)),
        ("2026-03-08T02:30:00", datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),
    ],
)
def test_a_date_without_a_zone_is_one_of_the_projects(text: str, expected: datetime):
    assert moment(text, Clock(NOW, "America/New_York")) == expected
