from typing import Any

import pytest

from cohorts.criteria.parse import (
    OPERATORS,
    BehavioralFilter,
    CohortFilter,
    CriteriaError,
    Group,
    PersonFilter,
    dump,
    leaves,
    load,
    parse,
)
from tests.support.cohorts.criteria_parts import behavior, cohort, person, refusal, tree

ANSWERED = {"bytecode": ["_H", 1], "conditionHash": "0123456789abcdef", "bytecode_error": None}


def normal(leaf: dict) -> dict:
    return dump(parse(tree(leaf)))["properties"]["values"][0]


def test_leaves_and_groups_are_typed():
    filters = tree(person(), {"type": "OR", "values": [behavior(), {"type": "AND", "values": []}]}, cohort(), kind="OR")
    group = parse(filters).properties
    assert [type(node) for node in group.values] == [PersonFilter, Group, CohortFilter]
    assert [type(leaf) for leaf in leaves(group)] == [PersonFilter, BehavioralFilter, CohortFilter]


@pytest.mark.parametrize("filters", [tree(), tree(kind="OR"), tree({"type": "OR", "values": []})])
def test_groups_may_be_empty(filters: dict):
    assert dump(parse(filters)) == filters


def test_keys_come_in_the_order_of_the_grammar():
    leaf = normal({"negation": True, "value": ["x"], "operator": "exact", "key": "email", "type": "person"})
    assert list(leaf.items()) == [
        ("type", "person"),
        ("key", "email"),
        ("operator", "exact"),
        ("value", ["x"]),
        ("negation", True),
    ]


@pytest.mark.parametrize("leaf", [person(), behavior(), cohort()])
def test_an_absent_negation_is_false(leaf: dict):
    assert normal(leaf) == {**leaf, "negation": False}


@pytest.mark.parametrize("leaf", [person(), behavior(), cohort()])
def test_what_answers_add_to_leaves_may_be_sent_back(leaf: dict):
    assert normal({**leaf, **ANSWERED}) == normal(leaf)
    assert "bytecode" in refusal({"properties": {**tree()["properties"], "bytecode": []}}).detail


@pytest.mark.parametrize(
    ("leaf", "name", "value"),
    [
        (behavior(time_value="30"), "time_value", 30),
        (behavior(time_value=30.0), "time_value", 30),
        (behavior(operator_value="7"), "operator_value", 7),
        (behavior(key=7), "key", 7),
        (behavior(key="7"), "key", "7"),
        (behavior(seq_event="7"), "seq_event", "7"),
        (cohort(value="12"), "value", 12),
        (cohort(value=10**40), "value", 10**40),
        (person(negation="yes"), "negation", True),
        (person(negation=0), "negation", False),
    ],
)
def test_numbers_and_booleans_are_read(leaf: dict, name: str, value: Any):
    found = normal(leaf)[name]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("value", ["", 0, False, [], {}, 5, 1.5, ["a", None], {"a": None}])
def test_any_value_but_null_counts_as_one(value: Any):
    assert normal(person(value=value))["value"] == value


@pytest.mark.parametrize("operator", ["is_set", "is_not_set"])
def test_an_operator_without_value_needs_none(operator: str):
    expected = {"type": "person", "key": "email", "operator": operator, "negation": False}
    assert normal(person(operator=operator, value=...)) == normal(person(operator=operator, value=None)) == expected


@pytest.mark.parametrize("operator", [*sorted(OPERATORS), "bananas", "", "is_cleaned_path_exact"])
def test_every_operator_is_accepted_at_input(operator: str):
    assert normal(person(operator=operator, value="-7d"))["operator"] == operator


@pytest.mark.parametrize(
    "value", ["-7d", "30d", "9999d", "2024-01-15T10:30:00Z", "January 15, 2024", 2024, ["-1w"], []]
)
def test_dates_are_kept_as_they_were_written(value: Any):
    assert normal(person(operator="is_date_before", value=value))["value"] == value


def test_nulls_are_dropped():
    assert normal(behavior(explicit_datetime=None, event_filters=None, seq_event=None)) == normal(behavior())


def test_conditions_on_the_event_are_kept():
    conditions = [
        {"type": "event", "key": "$browser", "operator": "exact", "value": ["Chrome"]},
        {"type": "element", "key": "text", "value": "Buy"},
        {"type": "hogql", "key": "properties.x = 1"},
    ]
    assert normal(behavior(event_filters=conditions))["event_filters"] == conditions


def test_a_null_that_a_condition_requires_can_be_read_again():
    conditions = [{"type": "event", "key": "x", "value": None}, {"type": "hogql", "key": "1", "value": None}]
    found = normal(behavior(event_filters=conditions))
    assert found["event_filters"] == [{"type": "event", "key": "x", "value": None}, {"type": "hogql", "key": "1"}]
    assert normal(found) == found


def test_a_bad_regular_expression_is_no_error_at_input():
    assert normal(person(operator="regex", value="["))["value"] == "["


def test_a_list_of_a_hundred_thousand_values_is_kept():
    value = [str(number) for number in range(100_000)]
    assert normal(person(value=value))["value"] == value


def test_a_hundred_thousand_leaves_that_are_stored_are_read():
    assert len(load(tree(*[person()] * 100_000)).properties.values) == 100_000


@pytest.mark.parametrize("leaf", [person(operator=...), person(value=...), person(operator="is_date_after", value="x")])
def test_what_is_stored_is_read_without_asking_for_more(leaf: dict):
    assert dump(load(tree(leaf))) == tree({**leaf, "negation": False})


@pytest.mark.parametrize("filters", [{"properties": {}}, None, [], tree({"type": "event"}), tree(person(extra=1))])
def test_what_is_stored_keeps_to_the_grammar(filters: Any):
    with pytest.raises(CriteriaError):
        load(filters)
