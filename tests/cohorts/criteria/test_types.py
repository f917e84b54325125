from typing import Any

import pytest

from cohorts.criteria.parse import OPERATORS, CriteriaError, load
from cohorts.criteria.types import automatic_type, check_type, required_type
from tests.support.cohorts.criteria_parts import behavior, cohort, person, tree

COHORTS = {1: "static", 2: "person_property", 3: "behavioral", 4: "analytical", 5: "realtime", 6: "bananas"}
MULTIPLE = behavior(value="performed_event_multiple", operator_value=1)
ANALYTICAL = (
    "performed_event_first_time",
    "performed_event_regularly",
    "performed_event_sequence",
    "stopped_performing_event",
    "restarted_performing_event",
)


def required(filters: Any, *, is_static: bool = False, query: Any = None) -> str:
    return required_type(is_static=is_static, query=query, filters=filters, type_of=COHORTS.__getitem__)


def automatic(*leaves: Any) -> str | None:
    return automatic_type(load(tree(*leaves)), realtime=lambda cohort_id: cohort_id == 5)


def test_a_static_cohort_is_static_whatever_else_it_has():
    assert required(tree(behavior()), is_static=True, query={"kind": "HogQLQuery"}) == "static"
    assert required(None, is_static=True) == "static"


def test_a_query_is_analytical():
    assert required(tree(person()), query={"kind": "HogQLQuery"}) == "analytical"
    assert required(tree(person()), query={}) == "person_property"


@pytest.mark.parametrize("value", ANALYTICAL)
def test_behavior_over_time_is_analytical_at_any_depth(value: str):
    assert required(tree(person(), {"type": "OR", "values": [behavior(value=value)]})) == "analytical"


@pytest.mark.parametrize(
    ("leaves", "expected"),
    [
        ([], "person_property"),
        ([person()], "person_property"),
        ([behavior()], "behavioral"),
        ([MULTIPLE], "behavioral"),
        ([person(), behavior(), person()], "behavioral"),
        ([cohort(value=1)], "static"),
        ([cohort(value=1), person()], "person_property"),
        ([cohort(value=2)], "person_property"),
        ([cohort(value=3), person()], "behavioral"),
        ([cohort(value=4), behavior()], "analytical"),
        ([behavior(value="performed_event_sequence"), cohort(value=99)], "analytical"),
    ],
)
def test_the_highest_of_the_leaves_is_required(leaves: list, expected: str):
    assert required(tree(*leaves)) == expected
    assert required(tree({"type": "OR", "values": leaves})) == expected


@pytest.mark.parametrize(
    "filters",
    [
        None,
        {},
        [],
        {"properties": {}},
        tree(cohort(value=99)),
        tree(cohort(value=5)),
        tree(cohort(value=6)),
        tree(cohort(value=[1, 2])),
        tree({"type": "bananas"}),
    ],
)
def test_without_an_answer_every_type_is_refused(filters: Any):
    with pytest.raises(CriteriaError) as caught:
        required(filters)
    assert caught.value.detail == "Invalid cohort type for the given filters"
    assert (caught.value.attr, caught.value.code) == ("cohort_type", "invalid_input")


def test_the_required_type_may_be_sent():
    check_type("behavioral", required="behavioral", automatic=None)


def test_the_type_that_the_server_sets_may_be_sent():
    check_type("realtime", required="behavioral", automatic="realtime")


@pytest.mark.parametrize("automatic", [None, "realtime"])
def test_another_type_is_refused(automatic: str | None):
    with pytest.raises(CriteriaError) as caught:
        check_type("static", required="behavioral", automatic=automatic)
    assert caught.value.detail == "Cohort type 'static' does not match the filters. Expected type: 'behavioral'"
    assert (caught.value.attr, caught.value.code) == ("cohort_type", "invalid_input")


def test_realtime_is_refused_where_the_server_would_not_set_it():
    with pytest.raises(CriteriaError, match="Cohort type 'realtime' does not match"):
        check_type("realtime", required="behavioral", automatic=None)


@pytest.mark.parametrize(
    "leaf",
    [
        *(person(operator=operator) for operator in sorted(OPERATORS)),
        person(operator=...),
        behavior(),
        MULTIPLE,
        cohort(value=5),
        {"type": "OR", "values": [{"type": "AND", "values": [person(), behavior()]}]},
        {"type": "OR", "values": []},
    ],
)
def test_what_compiles_is_realtime(leaf: dict):
    assert automatic(person(), leaf) == "realtime"


def test_no_criteria_at_all_are_realtime():
    assert automatic() == "realtime"


@pytest.mark.parametrize(
    "leaf",
    [
        person(operator="bananas"),
        person(operator="is_cleaned_path_exact"),
        *(behavior(value=value) for value in ANALYTICAL),
        behavior(value="bananas"),
        behavior(key=7),
        behavior(key=""),
        cohort(value=4),
        cohort(value=99),
        {"type": "OR", "values": [{"type": "AND", "values": [cohort(value=1)]}]},
    ],
)
def test_one_leaf_that_does_not_compile_leaves_no_type(leaf: dict):
    assert automatic(person(), leaf) is None
