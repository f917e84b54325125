import pytest

from tests.support.cohorts.compiling import ago, behavior, found, people

pytestmark = pytest.mark.usefixtures("db")

RECENT = {"seq_time_value": 2, "seq_time_interval": "day"}


def test_conditions_on_the_event_must_all_be_met_by_one_event():
    people(
        events={
            "both": ago(1, a=1, b="x"),
            "apart": [*ago(1, a=1), *ago(1, b="x")],
            "one": ago(1, a=1, b="y"),
            "none": ago(1),
            "old": ago(11, a=1, b="x"),
        }
    )
    conditions = [
        {"type": "event", "key": key, "operator": "exact", "value": value} for key, value in (("a", 1), ("b", "x"))
    ]
    assert found(behavior(event_filters=conditions)) == {"both"}
    assert found(behavior(event_filters=[])) == {"both", "apart", "one", "none"}


def test_a_condition_on_the_event_without_an_operator_is_exact():
    people(events={"same": ago(1, a="x"), "other": ago(1, a="xx")})
    assert found(behavior(event_filters=[{"type": "event", "key": "a", "value": "x"}])) == {"same"}


def test_an_event_that_lacks_the_property_meets_a_negative_condition():
    people(events={"same": ago(1, a="x"), "other": ago(1, a="y"), "none": ago(1)})
    condition = {"type": "event", "key": "a", "operator": "is_not", "value": "x"}
    assert found(behavior(event_filters=[condition])) == {"other", "none"}


@pytest.mark.parametrize("kind", ["performed_event_multiple", "stopped_performing_event"])
def test_conditions_on_the_event_count_for_every_kind(kind: str):
    people(events={"same": ago(5, a="x"), "other": ago(5, a="y"), "also": [*ago(5, a="x"), *ago(1, 20, a="y")]})
    condition = {"type": "event", "key": "a", "operator": "exact", "value": "x"}
    leaf = behavior(kind, operator_value=1, **RECENT, event_filters=[condition])
    assert found(leaf) == {"same", "also"}


def test_the_very_first_event_has_to_meet_the_conditions():
    people(
        events={
            "first": [*ago(5, a="x"), *ago(3, a="y")],
            "later": [*ago(5, a="y"), *ago(3, a="x")],
            "long ago": [*ago(40, a="y"), *ago(5, a="x")],
            "both at once": [*ago(5, a="y"), *ago(5, a="x")],
            "other event": [*ago(6, name="f", a="y"), *ago(5, a="x")],
            "none": ago(5),
        }
    )
    condition = {"type": "event", "key": "a", "operator": "exact", "value": "x"}
    leaf = behavior("performed_event_first_time", event_filters=[condition])
    assert found(leaf) == {"first", "both at once", "other event"}
