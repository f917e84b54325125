"""When an event happened, by what the client and the server know."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core6.capture.moments import event_time, parse
from tests.conftest import Caller, Cast
from tests.support.capture.sending import batch, event, sent, the_event
from tests.support.sampling import IS_EVERY_CASE

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
TEN = datetime(2026, 3, 15, 10, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
#: Digits that are none of ASCII.
FULL_WIDTH = {ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"}


@pytest.mark.parametrize(
    "value",
    [
        *("2026-03-15T10:00:00Z", "2026-03-15T10:00:00.000Z", "2026-03-15T10:00:00+00:00", "2026-03-15T10:00:00"),
        *("2026-03-15T10:00Z", "2026-03-15 10:00", "2026-03-15 10:00:00.000000 +0000", "2026-03-15t10:00:00z"),
        *("2026-03-15T13:00:00+03", "2026-03-15T13:00:00+0300", "2026-03-15 13:00:00+03:00", "2026-03-15T04:30-05:30"),
        *("2026/03/15 10:00:00", "2026/3/15T10:00", " 2026-03-15T10:00:00Z\n", "2026-03-15T10Z"),
        *("Sun, 15 Mar 2026 10:00:00 GMT", "15 Mar 2026 10:00:00 +0000", "Sun, 15 Mar 2026 12:00:00 +0200"),
        *(1773568800, 1773568800000, 1773568800.0, "1773568800", "1773568800000", "1773568800.0"),
    ],
)
def test_a_time_is_read_in_many_forms(value: Any):
    assert parse(value) == TEN
    assert event_time(value, now=NOW, sent_at=None) == TEN


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-15", datetime(2026, 3, 15, tzinfo=UTC)),
        ("2026/3/5", datetime(2026, 3, 5, tzinfo=UTC)),
        ("2026-03-15T10:00:00.123456Z", TEN + timedelta(microseconds=123456)),
        ("2026-03-15T10:00:00.5Z", TEN + timedelta(seconds=0.5)),
        ("2026-03-15T10:00:00.123456789Z", TEN + timedelta(microseconds=123456)),
        (1773568800123, TEN + timedelta(milliseconds=123)),
        (0, EPOCH),
        (-1, EPOCH - timedelta(seconds=1)),
        ("0001-01-01", datetime(1, 1, 1, tzinfo=UTC)),
        ("1582-10-04T00:00:00Z", datetime(1582, 10, 4, tzinfo=UTC)),
    ],
)
def test_a_time_is_exact(value: Any, expected: datetime):
    assert parse(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", " ", "now", "yesterday", "10:00", "2026-13-01", "2026-02-30", "2026-03-15T25:00", "15.03.2026"),
        *("2026-03-15T10:00:00+99:99", "2026-03-15Tx", "10000-01-01", True, False, [], {}, ["2026-03-15"], "NaN", "-"),
        "1" * 30,
    ],
)
def test_what_is_no_time_is_now(value: Any):
    assert parse(value) is None
    assert event_time(value, now=NOW, sent_at=TEN) == NOW


@pytest.mark.parametrize("value", [10**400, -(10**400), 1e308, -1e308, 10**17, float("inf"), float("nan")])
def test_a_year_that_no_calendar_has_is_the_epoch(value: Any):
    assert event_time(value, now=NOW, sent_at=None) == EPOCH


def test_the_difference_of_the_clocks_is_removed():
    for difference in (HOUR, -HOUR, timedelta(days=365)):
        assert event_time(str(TEN + difference), now=NOW, sent_at=NOW + difference) == TEN
    assert event_time(str(TEN), now=NOW, sent_at=NOW + HOUR, ignores_sent_at=True) == TEN
    assert event_time("9999-12-31T23:00:00Z", now=NOW, sent_at=NOW - 2 * HOUR) == EPOCH
    assert event_time("0001-01-01T01:00:00Z", now=NOW, sent_at=NOW + 2 * HOUR) == EPOCH


@pytest.mark.parametrize("value", [str(TEN), None, "x"])
def test_an_offset_wins_over_the_time_and_the_clock(value: Any):
    for offset in (60_000, 60_000.0):
        assert event_time(value, now=NOW, sent_at=TEN, offset=offset) == NOW - timedelta(minutes=1)
    assert event_time(value, now=NOW, sent_at=TEN, offset=0) == NOW
    for offset in (10**400, -(10**400), 1e300, float("inf"), float("-inf"), float("nan"), 10**17):
        assert event_time(value, now=NOW, sent_at=TEN, offset=offset) == EPOCH


@pytest.mark.parametrize("offset", ["60000", True, None, [], {}])
def test_an_offset_that_is_no_number_is_none(offset: Any):
    assert event_time(str(TEN), now=NOW, sent_at=None, offset=offset) == TEN


def test_more_than_23_hours_ahead_is_now():
    latest = NOW + 23 * HOUR
    assert event_time(str(latest), now=NOW, sent_at=None) == latest
    assert event_time(str(latest + timedelta(seconds=1)), now=NOW, sent_at=None) == NOW
    assert event_time(str(NOW + 25 * HOUR), now=NOW, sent_at=NOW + 2 * HOUR) == latest
    assert event_time(None, now=NOW, sent_at=None, offset=-24 * 3600 * 1000) == NOW


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**500), 10**500)
    | st.floats()
    | st.text()
    | st.datetimes().map(str)
    | st.datetimes().map(datetime.isoformat)
    | st.from_regex(r"\A\d{4}[-/]\d{1,2}[-/]\d{1,2}[T ]?[\d:.]*[ ]?(Z|[+-]\d\d:?\d?\d?)?\Z")
    | st.from_regex(r"\A(Mon, )?\d{1,3} (Jan|Feb|Dec) \d{1,10} \d\d?:\d\d?(:\d\d?)? ?([+-]\d{1,9}|[A-Z]{1,4})?\Z"),
    lambda child: st.lists(child, max_size=2) | st.dictionaries(st.text(max_size=3), child, max_size=2),
    max_leaves=3,
)


@settings(
    max_examples=20_000 if IS_EVERY_CASE else 80,
    derandomize=not IS_EVERY_CASE,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(value=JSON, sent_at=JSON, offset=JSON, ignores_sent_at=st.booleans())
@example(value="Mon, 1 Jan 99999999999999999999 00:00", sent_at=None, offset=None, ignores_sent_at=False)
@example(
    value="2026-01-01".translate(FULL_WIDTH), sent_at="1".translate(FULL_WIDTH), offset=None, ignores_sent_at=False
)
def test_whatever_was_sent_there_is_a_time_that_can_be_stored(
    db: None, value: Any, sent_at: Any, offset: Any, ignores_sent_at: bool
):
    found = event_time(value, now=NOW, sent_at=parse(sent_at), offset=offset, ignores_sent_at=ignores_sent_at)
    assert found.utcoffset() == timedelta()
    assert found <= NOW + 23 * HOUR
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [found])
        assert cursor.fetchone() == (found,)


@pytest.fixture
def at_noon() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def stored_time(cast: Cast) -> datetime:
    found = the_event(cast.web)
    timestamp = found.timestamp
    found.delete()
    return timestamp


@pytest.mark.usefixtures("at_noon")
def test_the_clock_of_a_client_is_known_by_sent_at(cast: Cast):
    late: dict[str, Any] = {"timestamp": str(TEN + HOUR)}
    sent(cast.web, event("visit", "anna", **late), sent_at=str(NOW + HOUR))
    assert stored_time(cast) == TEN
    sent(cast.web, event("visit", "anna", {"$ignore_sent_at": True}, **late), sent_at=str(NOW + HOUR))
    assert stored_time(cast) == TEN + HOUR
    sent(cast.web, event("visit", "anna", **late), sentAt=str(NOW + HOUR))
    assert stored_time(cast) == TEN + HOUR
    sent(cast.web, event("visit", "anna", **late), sent_at="soon")
    assert stored_time(cast) == TEN + HOUR
    sent(cast.web, event("visit", "anna", offset=7_200_000, **late), sent_at=str(NOW + HOUR))
    assert stored_time(cast) == TEN


@pytest.mark.usefixtures("at_noon")
@pytest.mark.parametrize(
    ("underscore", "expected"),
    [
        (str(int((NOW + HOUR).timestamp() * 1000)), TEN),
        (str(int(datetime(2020, 12, 31, tzinfo=UTC).timestamp() * 1000)), TEN + HOUR),
        *(
            (given, TEN + HOUR)
            for given in ("", "1", "x", "-1", "9" * 400, "1e15", "1773568800000".translate(FULL_WIDTH))
        ),
    ],
)
def test_the_clock_of_a_browser_is_known_by_the_query(cast: Cast, underscore: str, expected: datetime):
    given = {**event("visit", "anna", timestamp=str(TEN + HOUR)), "api_key": cast.web.api_token}
    assert Caller(None).get("/e/", data=json.dumps(given), _=underscore).status_code == 200
    assert stored_time(cast) == expected


@pytest.mark.usefixtures("at_noon")
def test_sent_at_of_the_body_wins_over_the_query(cast: Cast):
    given = batch(cast.web, event("visit", "anna", timestamp=str(TEN)), sent_at=str(NOW))
    milliseconds = int((NOW + HOUR).timestamp() * 1000)
    assert Caller(None).post(f"/e/?_={milliseconds}", given).status_code == 200
    assert stored_time(cast) == TEN


@pytest.mark.usefixtures("at_noon")
@pytest.mark.parametrize("value", ["0001-01-01", "1e400", 10**400, "9999-12-31", None, 1e300])
def test_extreme_times_are_stored(cast: Cast, value: Any):
    sent(cast.web, event("visit", "anna", timestamp=value), historical_migration=True)
    assert stored_time(cast) == {"0001-01-01": datetime(1, 1, 1, tzinfo=UTC), 1e300: EPOCH, 10**400: EPOCH}.get(
        value, NOW
    )
