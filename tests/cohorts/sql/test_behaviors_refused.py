from typing import Any

import pytest

from tests.support.cohorts.compiling import behavior, refused

SEQUENCE = {"seq_event": "f", "seq_event_type": "events", "seq_time_value": 1, "seq_time_interval": "hour"}
WHOLE = {"operator_value": 1, "min_periods": 1, "total_periods": 1}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("performed_event", "time_value"),
        ("performed_event_multiple", "time_value operator_value"),
        ("performed_event_first_time", "time_value"),
        ("performed_event_sequence", "time_value seq_time_value"),
        ("performed_event_regularly", "time_value operator_value min_periods total_periods"),
        ("stopped_performing_event", "time_value seq_time_value"),
        ("restarted_performing_event", "time_value seq_time_value"),
    ],
)
@pytest.mark.parametrize("value", [0, -1, None])
def test_numbers_must_be_above_nought(kind: str, names: str, value: int | None):
    for name in names.split():
        assert "must be a whole number above 0" in refused(behavior(kind, **{**SEQUENCE, **WHOLE, name: value}))


@pytest.mark.parametrize("interval", ["fortnight", "days", "DAY", "", None, "second"])
@pytest.mark.parametrize("kind", ["performed_event", "performed_event_regularly", "stopped_performing_event"])
def test_an_unknown_interval_is_refused(kind: str, interval: str | None):
    leaf = behavior(kind, **{**SEQUENCE, **WHOLE, "time_interval": interval})
    assert refused(leaf) == f"unknown interval {interval!r}"


@pytest.mark.parametrize("kind", ["performed_event_sequence", "stopped_performing_event", "restarted_performing_event"])
def test_an_unknown_second_interval_is_refused(kind: str):
    assert refused(behavior(kind, **{**SEQUENCE, "seq_time_interval": "x"})) == "unknown interval 'x'"


@pytest.mark.parametrize("kind", ["performed_event_multiple", "performed_event_regularly"])
@pytest.mark.parametrize("operator", ["is_not", "between", "bananas", ">="])
def test_an_unknown_operator_of_a_count_is_refused(kind: str, operator: str):
    leaf = behavior(kind, **{**WHOLE, "operator": operator})
    assert refused(leaf) == f"unknown operator {operator!r} of a count"


def test_more_active_periods_than_periods_are_refused():
    leaf = behavior("performed_event_regularly", **{**WHOLE, "min_periods": 2})
    assert refused(leaf) == "min_periods must not be above total_periods"


@pytest.mark.parametrize("event_type", ["actions", "bananas", "", "Events"])
def test_only_events_can_be_computed(event_type: str):
    refused(behavior(event_type=event_type))
    refused(behavior("performed_event_sequence", **{**SEQUENCE, "seq_event_type": event_type}))


@pytest.mark.parametrize("kind", ["element", "hogql"])
def test_only_conditions_on_the_event_can_be_computed(kind: str):
    assert kind in refused(behavior(event_filters=[{"type": kind, "key": "k", "value": "v"}]))


@pytest.mark.parametrize("condition", [{"operator": "bananas", "value": 1}, {"operator": "in", "value": "x"}])
def test_nonsense_about_the_event_is_refused(condition: dict[str, Any]):
    refused(behavior(event_filters=[{"type": "event", "key": "k", **condition}]))


@pytest.mark.parametrize("explicit", ["garbage", "10000d", "2024-02-30"])
def test_an_explicit_date_that_is_none_is_refused(explicit: str):
    assert refused(behavior(explicit_datetime=explicit)) == f"explicit_datetime: {explicit!r} is no date"
    leaf = behavior(explicit_datetime_to=explicit)
    assert refused(leaf) == f"explicit_datetime_to: {explicit!r} is no date"


@pytest.mark.parametrize("kind", ["performed_event", "performed_event_multiple", "performed_event_first_time"])
def test_an_end_before_the_start_is_refused(kind: str):
    leaf = behavior(kind, operator_value=1, explicit_datetime="-10d", explicit_datetime_to="-11d")
    assert refused(leaf) == "explicit_datetime_to lies before the start of the time: name a later one"
    assert "before the start" in refused(behavior(kind, operator_value=1, explicit_datetime_to="-10d", time_value=9))


@pytest.mark.parametrize("value", [3000, 10**6, 10**12, 10**30])
@pytest.mark.parametrize("name", ["time", "seq_time"])
@pytest.mark.parametrize("kind", ["stopped_performing_event", "restarted_performing_event"])
def test_a_time_beyond_the_calendar_is_refused(kind: str, name: str, value: int):
    refused(behavior(kind, **{**SEQUENCE, f"{name}_value": value, f"{name}_interval": "year"}))


@pytest.mark.parametrize("value", [10**6, 10**12, 10**30])
def test_a_sequence_beyond_the_calendar_is_refused(value: int):
    refused(behavior("performed_event_sequence", **{**SEQUENCE, "seq_time_value": value, "seq_time_interval": "year"}))


def test_many_periods_beyond_the_calendar_are_refused():
    for total in (10**6, 10**12, 10**30):
        refused(behavior("performed_event_regularly", **{**WHOLE, "total_periods": total}))
