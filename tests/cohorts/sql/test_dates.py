from typing import Any

import pytest

from cohorts.criteria.dates import Clock
from tests.support.cohorts.compiling import CLOCK, MISSING, assert_meets, found, people, prop, refused

pytestmark = pytest.mark.usefixtures("db")

# The tests' now is 2026-03-15 12:00 UTC.
LACKING = [MISSING, None]
NO_DATES = [
    "2024-02-30",
    "2023-02-29",
    "2024-13-01",
    "2024-1-5",
    "0000-01-01",
    "2024-01-15T25:00",
    "x",
    "",
    20240115,
    5,
    True,
    12345678,
    "12345678901234",
    "-1712000000",
    "1712000000.5",
]


def test_before_a_day_ends_as_the_day_begins():
    yes = ["2024-01-14", "2024-01-14T23:59:59.999999Z", "2024-01-15T05:00:00+05:01", "0001-01-01"]
    assert_meets(
        "is_date_before", "2024-01-15", yes=yes, no=["2024-01-15", "2024-01-15T00:00:00Z", *NO_DATES, *LACKING]
    )


def test_after_a_day_begins_as_the_day_begins():
    yes = ["2024-01-15T00:00:00.000001", "2024-01-15T00:00:00-00:01", "9999-12-31T23:59:59Z", "2024-02-29"]
    assert_meets("is_date_after", "2024-01-15", yes=yes, no=["2024-01-15", "2024-01-14", *NO_DATES, *LACKING])


@pytest.mark.parametrize(
    "value", ["2024-01-15T10:30:00Z", "2024-01-15T10:30:00+00:00", "2024-01-15T16:00:00+05:30", "2024-01-15 10:30"]
)
def test_a_time_is_one_whatever_its_zone(value: str):
    no = ["2024-01-15T10:30:00Z", "2024-01-15T10:30:00", "2024-01-15 02:30-0800", "2024-01-15T11:30:00.000+01"]
    assert_meets("is_date_after", value, yes=["2024-01-15T10:30:00.000001Z"], no=no)


@pytest.mark.parametrize("value", ["January 15, 2024", "2024-01-15", "15 Jan 2024 00:00 UTC"])
def test_the_general_forms_of_a_date_are_read(value: str):
    assert_meets("is_date_before", value, yes=["2024-01-14T23:59:59Z"], no=["2024-01-15"])


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("-24h", "2026-03-14T12:00:00Z"),
        ("-1d", "2026-03-14T12:00:00Z"),
        ("1d", "2026-03-14T12:00:00Z"),
        ("-1w", "2026-03-08T12:00:00Z"),
        ("-1m", "2026-02-13T12:00:00Z"),
        ("-1y", "2025-03-15T12:00:00Z"),
        ("0h", "2026-03-15T12:00:00Z"),
        ("-60M", "2026-03-15T11:00:00Z"),
        ("-2q", "2025-09-16T12:00:00Z"),
        ("dStart", "2026-03-15T00:00:00Z"),
        ("9999h", "2025-01-22T21:00:00Z"),
        ("0009d", "2026-03-06T12:00:00Z"),
    ],
)
def test_a_relative_date_is_so_long_before_now_whatever_its_sign(value: str, at: str):
    later, earlier = at.replace("00Z", "00.000001Z"), at.replace(":00:00Z", ":00:00.000001+00:01")
    people(properties={"later": {"a": later}, "at": {"a": at}, "earlier": {"a": earlier}, "none": {}})
    assert found(prop("is_date_after", value)) == {"later"}
    assert found(prop("is_date_before", value)) == {"earlier"}


@pytest.mark.parametrize("operator", ["is_date_before", "is_date_after"])
@pytest.mark.parametrize(
    "value",
    [
        "",
        "garbage",
        "-99999d",
        "10000d",
        "9999999999",
        "1s",
        "1712000000",
        "10:30",
        "2024-02-30",
        True,
        {},
        ["2024-01-15", "x"],
        "9999y",
    ],
)
def test_what_is_no_date_is_refused(operator: str, value: Any):
    assert refused(prop(operator, value)).endswith("is no date")


def test_any_date_of_a_list_is_enough():
    value = ["2024-01-15", "2025-01-15"]
    assert_meets("is_date_before", value, yes=["2024-06-01", "2023-01-01"], no=["2025-01-15", "x", *LACKING])
    people(project_id=1, properties={"a": {"a": "2024-06-01"}, "b": {"a": "2023-06-01"}})
    assert found(prop("is_date_after", value), project=1) == {"a"}


def test_is_date_exact_compares_text():
    assert_meets("is_date_exact", "2024-01-15", yes=["2024-01-15"], no=["2024-01-15T00:00:00Z", *LACKING])


def test_an_offset_may_be_any_that_exists():
    yes = ["2024-01-15T14:00:00+14:00", "2024-01-14T12:00:00-12:00", "2024-01-15T05:45:00+0545"]
    assert_meets("is_date_before", "2024-01-15T00:00:01Z", yes=yes, no=["2024-01-15T00:00:01Z"])


@pytest.mark.parametrize("year", ["0001", "1900", "2000", "2100", "2400", "9999"])
def test_the_last_of_february_is_that_of_the_calendar(year: str):
    is_leap = year in ("2000", "2400")
    yes = [f"{year}-02-28", *[f"{year}-02-29"] * is_leap]
    no = [*[f"{year}-02-29"] * (not is_leap), f"{year}-02-30", f"{year}-04-31"]
    assert_meets("is_date_after", "0001-01-01", yes=yes, no=no)


@pytest.mark.parametrize("digits", [7, 30, 100, 200, 5000])
def test_a_second_of_many_digits_does_not_fail_the_others(digits: int):
    people(properties={"long": {"a": f"2024-01-15T10:30:00.{'1' * digits}Z"}, "short": {"a": "2024-01-15"}})
    assert found(prop("is_date_before", "2024-02-01")) - {"long"} == {"short"}


@pytest.mark.parametrize(
    "text", ["2024-01-15\n", " 2024-01-15", "2024-01-15T", "2024-01-15T10:30:00Z+01", "2024-01-15\u0660"]
)
def test_a_property_is_a_date_from_its_beginning_to_its_end(text: str):
    assert_meets("is_date_after", "2000-01-01", yes=["2024-01-15"], no=[text])


def test_fifteen_thousand_dates_are_a_list_as_any_other():
    assert_meets("is_date_after", ["2024-01-15"] * 14_999 + ["2023-01-15"], yes=["2023-02-01"], no=LACKING)


@pytest.mark.parametrize("value", [1712000000, "1712000000", 1712000000000, "1712000000000"])
def test_a_unix_time_is_in_seconds_or_in_milliseconds(value: Any):
    assert_meets("is_date_before", "2024-04-01T19:33:21Z", yes=[value], no=LACKING)  # it is 19:33:20
    people(project_id=1, properties={"a": {"a": value}})
    assert found(prop("is_date_after", "2024-04-01T19:33:19.999Z"), project=1) == {"a"}


@pytest.mark.parametrize(
    ("value", "at"),
    [(100000000, "1973-03-03T09:46:40Z"), (99999999999, "5138-11-16T09:46:39Z"), (10**11, "1973-03-03")],
)
def test_a_unix_time_of_more_than_eleven_digits_is_in_milliseconds(value: int, at: str):
    year = int(at[:4])
    assert_meets("is_date_after", f"{year}-01-01", yes=[value])
    people(project_id=1, properties={"a": {"a": value}})
    assert found(prop("is_date_before", f"{year + 1}-01-01"), project=1) == {"a"}


NEW_YORK = Clock(CLOCK.now, "America/New_York")


def test_a_property_without_a_zone_is_read_in_that_of_the_project():
    people(
        properties={
            "bare": {"a": "2026-01-20"},
            "naive": {"a": "2026-01-20T00:00:00"},
            "utc": {"a": "2026-01-20T00:00:00Z"},
            "behind": {"a": "2026-01-20T00:00:00-05:00"},
            "unix": {"a": 1768867200},  # 2026-01-20T00:00:00Z
        }
    )
    assert found(prop("is_date_before", "2026-01-20T04:59:59Z"), clock=NEW_YORK) == {"utc", "unix"}
    assert found(prop("is_date_after", "2026-01-20T04:59:59Z"), clock=NEW_YORK) == {"bare", "naive", "behind"}
    assert found(prop("is_date_before", "2026-01-20"), clock=NEW_YORK) == {"utc", "unix"}


def test_both_sides_read_the_hour_that_clocks_show_twice_or_never_alike():
    times = ["2025-11-02T01:30:00", "2026-03-08T02:30:00"]
    people(properties={str(place): {"a": each} for place, each in enumerate(times)})
    for place, each in enumerate(times):
        assert str(place) not in found(prop("is_date_before", each), clock=NEW_YORK)
        assert str(place) not in found(prop("is_date_after", each), clock=NEW_YORK)
