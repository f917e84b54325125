from datetime import timedelta
from typing import Any

import pytest

from cohorts.criteria.dates import Clock
from tests.support.cohorts.compiling import DAY, ago, behavior, found, people
from tests.support.cohorts.populations import NOW

pytestmark = pytest.mark.usefixtures("db")

INSTANT = timedelta(microseconds=1)
SEQUENCE = {"seq_event": "f", "seq_event_type": "events", "seq_time_value": 1, "seq_time_interval": "hour"}
RECENT = {"seq_time_value": 2, "seq_time_interval": "day"}


def test_a_person_who_did_it_within_the_time_performed_it():
    people("never", events={"did": ago(5), "long_ago": ago(11), "other": ago(5, name="f"), "both": ago(5, 11)})
    assert found(behavior()) == {"did", "both"}


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [("minute", 60), ("hour", 3600), ("day", 86400), ("week", 604800), ("month", 2592000), ("year", 31536000)],
)
def test_a_time_begins_after_its_bound_and_ends_now(interval: str, seconds: int):
    span = timedelta(seconds=seconds * 3)
    events = {"bound": ago(span), "first": ago(span - INSTANT), "now": ago(0), "future": ago(-INSTANT)}
    people(events=events)
    assert found(behavior(time_value=3, time_interval=interval)) == {"first", "now"}


@pytest.mark.parametrize("explicit", ["-2d", "2d", "2026-03-13T12:00:00Z", "2026-03-13T14:00:00+02:00"])
def test_an_explicit_date_wins_over_a_time(explicit: str):
    people(events={"bound": ago(2), "first": ago(2 * DAY - INSTANT), "future": ago(-1)})
    assert found(behavior(explicit_datetime=explicit)) == {"first"}
    assert found(behavior(explicit_datetime=explicit, time_value=None, time_interval=None)) == {"first"}


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("gte", {"2", "3"}),
        ("gt", {"3"}),
        ("lte", {"1", "2"}),
        ("lt", {"1"}),
        ("eq", {"2"}),
        ("exact", {"2"}),
        (None, {"2"}),
    ],
)
def test_the_number_of_events_is_compared_and_nought_never_matches(operator: str | None, expected: set[str]):
    people("0", events={"1": ago(1, 11), "2": ago(1, 1, -1), "3": ago(1, 2, 3), "old": ago(11), "future": ago(-1)})
    assert found(behavior("performed_event_multiple", operator=operator, operator_value=2)) == expected


def test_a_count_may_be_larger_than_any():
    people(events={"1": ago(1)})
    assert found(behavior("performed_event_multiple", operator="lt", operator_value=10**30)) == {"1"}


def test_the_first_time_is_the_first_ever():
    people("never", events={"first": ago(5, 1), "before": ago(5, 11), "bound": ago(10), "future": ago(-1)})
    assert found(behavior("performed_event_first_time")) == {"first"}
    assert found(behavior("performed_event_first_time", explicit_datetime="-11d")) == {"first", "bound"}


def test_a_sequence_wants_the_other_event_soon_after():
    hour = timedelta(hours=1)
    people(
        "never",
        events={
            "soon": [*ago(DAY), *ago(DAY - hour / 2, name="f")],
            "bound": [*ago(DAY), *ago(DAY - hour, name="f")],
            "late": [*ago(DAY), *ago(DAY - hour - INSTANT, name="f")],
            "at_once": [*ago(DAY), *ago(DAY, name="f")],
            "before": [*ago(DAY), *ago(DAY + INSTANT, name="f")],
            "long_ago": [*ago(10), *ago(10 * DAY - hour / 2, name="f")],
            "future": [*ago(0), *ago(-hour / 2, name="f")],
            "second": [*ago(3, 1), *ago(DAY - hour / 2, name="f")],
            "first_only": ago(1),
            "second_only": ago(1, name="f"),
        },
    )
    assert found(behavior("performed_event_sequence", **SEQUENCE)) == {"soon", "bound", "second"}


def test_a_sequence_may_be_of_one_event_twice():
    people(events={"once": ago(1), "twice": ago(timedelta(hours=5), timedelta(hours=4.5)), "apart": ago(3, 1)})
    assert found(behavior("performed_event_sequence", **{**SEQUENCE, "seq_event": "e"})) == {"twice"}


def test_a_sequence_is_of_one_person():
    people(events={"a": ago(1), "b": ago(DAY - timedelta(minutes=1), name="f")})
    assert found(behavior("performed_event_sequence", **SEQUENCE)) == set()


def test_a_person_who_stopped_did_it_and_did_not_lately():
    events = {
        "stopped": ago(5),
        "goes_on": ago(5, 1),
        "lately": ago(1),
        "long_ago": ago(11),
        "bound": ago(2),
        "just": ago(2 * DAY - INSTANT),
        "will_again": ago(5, -1),
    }
    people("never", events=events)
    assert found(behavior("stopped_performing_event", **RECENT)) == {"stopped", "bound", "will_again"}


def test_a_person_who_restarted_did_it_lately_and_long_ago_and_not_between():
    events = {
        "restarted": ago(1, 11),
        "bound": ago(1, 10),
        "goes_on": ago(1, 5, 11),
        "goes_on_bound": ago(1, 2, 11),
        "new": ago(1),
        "stopped": ago(11),
        "stopped_since": ago(5, 11),
        "will": ago(-1, 11),
    }
    people("never", events=events)
    assert found(behavior("restarted_performing_event", **RECENT)) == {"restarted", "bound"}


@pytest.mark.parametrize(
    ("least", "expected"), [(1, {"one", "two", "three", "bounds"}), (2, {"two", "three", "bounds"}), (3, {"three"})]
)
def test_regularly_is_in_enough_of_the_last_periods_before_today(least: int, expected: set[str]):
    # Three periods of two days: they end one, three and five days ago, and begin after seven.
    events = {
        "one": ago(1, 2, 2.9),
        "two": ago(2, 4),
        "three": ago(2, 4, 6),
        "bounds": ago(3 * DAY - INSTANT, 3),
        "today": ago(0, 0.5, DAY - INSTANT),
        "before": ago(7, 9),
        "future": ago(-1, -3, -5),
    }
    people("never", events=events)
    leaf = {"time_value": 2, "operator": "gte", "operator_value": 1, "min_periods": least, "total_periods": 3}
    assert found(behavior("performed_event_regularly", **leaf)) == expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [("gte", {"2_2", "3_2"}), ("exact", {"2_2"}), (None, {"2_2"}), ("lte", {"1_1", "2_2", "1_2"}), ("gt", set())],
)
def test_regularly_compares_the_number_in_each_period(operator: str | None, expected: set[str]):
    events = {"1_1": ago(1.5, 2.5), "2_2": ago(1.5, 1.6, 2.5, 2.6), "1_2": ago(1.5, 2.5, 2.6)}
    people(events={**events, "3_2": ago(1.5, 1.6, 1.7, 2.5, 2.6)})
    leaf = {"time_value": 1, "operator": operator, "operator_value": 2, "min_periods": 2, "total_periods": 2}
    assert found(behavior("performed_event_regularly", **leaf)) == expected


def test_an_event_may_be_named_by_a_number():
    people(events={"did": ago(1, name="5")})
    assert found(behavior(key=5)) == {"did"}


def test_a_name_of_an_event_is_compared_with_case():
    people(events={"did": ago(1), "other": ago(1, name="E")})
    assert found(behavior()) == {"did"}


def test_now_is_the_time_of_the_calculation():
    people(events={"did": ago(5)})
    assert found(behavior(), clock=Clock(NOW + 5 * DAY)) == set()
    assert found(behavior(), clock=Clock(NOW + 5 * DAY - INSTANT)) == {"did"}
    assert found(behavior(), clock=Clock(NOW - 5 * DAY)) == {"did"}
    assert found(behavior(), clock=Clock(NOW - 5 * DAY - INSTANT)) == set()


def test_an_explicit_end_is_the_last_moment_of_the_time():
    people(
        events={"before": ago(61), "first": ago(59), "last": ago(20), "after": ago(20 * DAY - INSTANT), "late": ago(10)}
    )
    leaf = behavior(explicit_datetime="-60d", explicit_datetime_to="-20d")
    assert found(leaf) == {"first", "last"}
    assert found(behavior(time_value=60, explicit_datetime_to="2026-02-23T12:00:00Z")) == {"first", "last"}


@pytest.mark.parametrize(
    ("kind", "more", "names"),
    [
        ("performed_event_multiple", {"operator": "gte", "operator_value": 2}, {"twice"}),
        ("performed_event_first_time", {}, {"once", "twice", "again"}),
        ("stopped_performing_event", {"seq_time_value": 9, "seq_time_interval": "day"}, {"once", "twice"}),
        ("restarted_performing_event", {"seq_time_value": 9, "seq_time_interval": "day"}, {"gap", "old"}),
        (
            "performed_event_sequence",
            {"seq_event": "e", "seq_event_type": "events", "seq_time_value": 60, "seq_time_interval": "day"},
            {"twice", "again"},
        ),
        (
            "performed_event_regularly",
            {"operator": "gte", "operator_value": 1, "min_periods": 1, "total_periods": 1},
            {"once", "twice", "again"},
        ),
    ],
)
def test_every_kind_keeps_to_the_explicit_end(kind: str, more: dict[str, Any], names: set[str]):
    people(
        events={
            "once": ago(30),
            "twice": ago(31, 30),
            "again": ago(30, 5),
            "gap": ago(15, 5, 70),
            "old": ago(90, 5),
            "new": ago(5, 4),
        }
    )
    leaf = behavior(kind, time_value=40, explicit_datetime="-60d", explicit_datetime_to="-20d", **more)
    assert found(leaf) == names
