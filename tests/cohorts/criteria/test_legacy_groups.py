from typing import Any

import pytest

from cohorts.criteria.legacy_groups import expand_groups, from_groups
from cohorts.criteria.parse import CriteriaError, load

NOTHING = {"properties": {"type": "AND", "values": []}}
EVENT = {
    "type": "behavioral",
    "key": "paid",
    "value": "performed_event",
    "event_type": "events",
    "time_value": 365,
    "time_interval": "day",
    "operator_value": 0,
}


def any_of(*groups: list) -> dict:
    return {"properties": {"type": "OR", "values": [{"type": "AND", "values": values} for values in groups]}}


@pytest.mark.parametrize("groups", [[], None, {}, "x"])
def test_no_groups_are_no_properties(groups: Any):
    assert from_groups(groups) == {"properties": {}}


@pytest.mark.parametrize(
    ("groups", "filters"),
    [
        ([{"properties": {"team_id": "5"}}], any_of([{"key": "team_id", "value": "5", "type": "person"}])),
        (
            [{"properties": {"a": 1, "b": None}}],
            any_of([{"key": "a", "value": 1, "type": "person"}, {"key": "b", "value": None, "type": "person"}]),
        ),
        (
            [{"properties": [{"key": "a", "value": 1}, {"key": "b", "value": 2, "type": "event", "operator": "gt"}]}],
            any_of(
                [
                    {"key": "a", "value": 1, "type": "person"},
                    {"key": "b", "value": 2, "type": "person", "operator": "gt"},
                ]
            ),
        ),
        (
            [{"properties": [{"key": "id", "value": 3, "type": "cohort"}]}],
            any_of([{"key": "id", "value": 3, "type": "cohort"}]),
        ),
        ([{"properties": {"type": "AND", "values": []}}], any_of([])),
        ([{"event_id": "paid"}], any_of([EVENT])),
        ([{"action_id": 7}], any_of([{**EVENT, "key": 7, "event_type": "actions"}])),
        ([{"action_id": 7, "event_id": "paid"}], any_of([{**EVENT, "key": 7, "event_type": "actions"}])),
        ([{"event_id": "paid", "days": 7}], any_of([{**EVENT, "time_value": 7}])),
        ([{"event_id": "paid", "days": "7"}], any_of([{**EVENT, "time_value": 7}])),
        (
            [{"event_id": "paid", "count": "3", "count_operator": "gte"}],
            any_of([{**EVENT, "value": "performed_event_multiple", "operator": "gte", "operator_value": 3}]),
        ),
        ([{"event_id": "paid", "count": -3}], any_of([EVENT])),
        ([{"event_id": "paid", "count": "many"}], any_of([EVENT])),
        ([{"event_id": "paid", "count": [], "days": {"a": 1}}], any_of([EVENT])),
        (
            [{"event_id": "paid"}, {"properties": {"a": 1}}],
            any_of([EVENT], [{"key": "a", "value": 1, "type": "person"}]),
        ),
    ],
)
def test_groups_mean_filters(groups: list, filters: dict):
    assert from_groups(groups) == filters
    load(filters)


@pytest.mark.parametrize("group", [5, None, [], {}, {"label": "x"}, {"properties": {}}, {"properties": [5]}])
def test_one_group_that_means_nothing_empties_the_whole(group: Any):
    assert from_groups([{"event_id": "paid"}, group]) == NOTHING


def test_what_groups_mean_can_be_changed_without_harm():
    from_groups([5])["properties"]["values"].append("x")
    assert from_groups([5]) == NOTHING


def test_a_stored_group_has_nine_keys():
    assert expand_groups([{"days": 7, "event_id": "paid"}]) == [
        {
            "properties": None,
            "action_id": None,
            "event_id": "paid",
            "label": None,
            "days": 7,
            "count": None,
            "count_operator": None,
            "start_date": None,
            "end_date": None,
        }
    ]
    assert expand_groups([]) == []


def test_an_expanded_group_can_be_expanded_and_means_the_same():
    groups = [{"properties": {"a": 1}}, {"event_id": "paid", "count": 2}, {"action_id": 4}]
    expanded = expand_groups(groups)
    assert expand_groups(expanded) == expanded
    assert from_groups(expanded) == from_groups(groups)


@pytest.mark.parametrize(
    ("groups", "detail"),
    [
        ("x", 'Expected a list of items but got type "str".'),
        ({}, 'Expected a list of items but got type "dict".'),
        (None, 'Expected a list of items but got type "NoneType".'),
        ([5], 'Expected an object but got type "int".'),
        ([{"event_id": "a"}, []], 'Expected an object but got type "list".'),
        ([{}], "A group needs one of: properties, action_id, event_id."),
        ([{"label": "x", "properties": {}}], "A group needs one of: properties, action_id, event_id."),
    ],
)
def test_groups_that_mean_nothing_cannot_be_posted(groups: Any, detail: str):
    with pytest.raises(CriteriaError) as caught:
        expand_groups(groups)
    assert (caught.value.detail, caught.value.attr, caught.value.code) == (detail, "groups", "invalid_input")


def test_an_unknown_key_of_a_group_is_named():
    with pytest.raises(CriteriaError, match="Unknown key 'surprise', expected some of: properties, ") as caught:
        expand_groups([{"event_id": "a", "surprise": 1}])
    assert caught.value.attr == "groups"
