from typing import Any

import pytest

from cohorts.criteria.parse import CriteriaError, dump, load, parse
from tests.support.cohorts.criteria_parts import behavior, cohort, person, refusal, tree

HOGQL = {"type": "hogql", "key": "1 = 1"}
DATE_HINT = "Expected a relative date (e.g., '-7d', '30d') or an ISO 8601 date (e.g., '2024-01-15')."


@pytest.mark.parametrize("filters", [None, "x", "", 5, True, [], [1], {}, {"values": []}])
def test_filters_are_an_object_with_properties(filters: Any):
    error = refusal(filters)
    assert error.detail == "Must contain a 'properties' key with type and values"
    assert (error.attr, error.code) == ("filters__detail", "invalid_input")


@pytest.mark.parametrize(
    ("filters", "parts"),
    [
        ({"properties": {}}, ["'missing'", "('properties', 'type')", "('properties', 'values')"]),
        ({"properties": None}, ["'model_type'"]),
        ({"properties": []}, ["'model_type'"]),
        ({**tree(), "surprise": 1}, ["'extra_forbidden'", "'surprise'"]),
        (tree(kind="XOR"), ["'literal_error'", "Input should be 'AND' or 'OR'"]),
        (tree(kind="or"), ["'literal_error'", "Input should be 'AND' or 'OR'"]),
        ({"properties": {"type": "AND"}}, ["'missing'", "('properties', 'values')"]),
        ({"properties": {"type": "AND", "values": {}}}, ["'list_type'"]),
        ({"properties": {"type": "AND", "values": None}}, ["'list_type'"]),
        ({"properties": {"type": "AND", "values": [], "negation": False}}, ["'extra_forbidden'", "'negation'"]),
        (tree({"type": "AND"}), ["'missing'", "('properties', 'values', 0, 'AND', 'values')"]),
        (tree(person(type=...)), ["'union_tag_not_found'"]),
        (tree(person(), 5), ["'model_attributes_type'", "('properties', 'values', 1)"]),
        (tree(None), ["'model_attributes_type'"]),
        (tree(person(key=5)), ["'string_type'", "'key'"]),
        (tree(person(value_property="x")), ["'extra_forbidden'", "'value_property'"]),
        (tree(person(negation="perhaps")), ["'bool_parsing'", "'negation'"]),
        (tree(behavior(not_a_field=123)), ["'extra_forbidden'", "'not_a_field'", "123"]),
        (tree(behavior(event_filters=[person()])), ["'literal_error'", "Input should be 'event' or 'element'"]),
        (tree(behavior(event_filters=[{**HOGQL, "operator": "exact"}])), ["'extra_forbidden'", "'operator'"]),
        (tree(behavior(event_filters=HOGQL)), ["'list_type'", "'event_filters'"]),
        (tree(behavior(operator_value=[5])), ["'int_type'", "'operator_value'"]),
        (tree(behavior(time_value=1.5)), ["'int_from_float'", "'time_value'"]),
        (tree(behavior(time_value="abc")), ["'int_parsing'", "'time_value'"]),
        (tree(behavior(key=None)), ["'key'"]),
        (tree(cohort(key="name")), ["'literal_error'", "Input should be 'id'"]),
        (tree(cohort(value=[12])), ["'int_type'", "'value'"]),
        (tree(cohort(value="word")), ["'int_parsing'", "'value'"]),
        pytest.param(tree(cohort(value="9" * 5000)), ["'int_parsing_size'", "'value'"], id="digits"),
    ],
)
def test_what_the_grammar_does_not_know_is_listed(filters: Any, parts: list[str]):
    error = refusal(filters)
    assert [part for part in parts if part not in error.detail] == []
    assert (error.attr, error.code) == ("filters", "invalid_input")


@pytest.mark.parametrize("kind", ["event", "static-cohort", "group", "Person", "and", "bananas", "", 5])
def test_an_unknown_type_of_leaf_is_refused_with_the_known_ones(kind: Any):
    detail = refusal(tree(person(type=kind))).detail
    assert "'union_tag_invalid'" in detail
    assert "'behavioral', 'cohort', 'person', 'AND', 'OR'" in detail


@pytest.mark.parametrize(
    ("leaf", "detail"),
    [
        (person(operator=...), "Missing required keys for person filter: operator"),
        (person(operator=None), "Missing required keys for person filter: operator"),
        (person(value=...), "Missing required keys for person filter: value"),
        (person(value=None), "Missing required keys for person filter: value"),
        (person(value=..., operator=...), "Missing required keys for person filter: value, operator"),
        (person(key=...), "Missing required keys for person filter: key"),
        (behavior(event_type=...), "Missing required keys for behavioral filter: event_type"),
        (behavior(key=...), "Missing required keys for behavioral filter: key"),
        (behavior(value=...), "Missing required keys for behavioral filter: value"),
        (behavior(event_type=..., value=..., key=...), "Missing required keys for behavioral filter: key"),
        (behavior(event_type=..., value=...), "Missing required keys for behavioral filter: value"),
        (
            behavior(event_filters=[{"type": "event", "key": "x"}]),
            "Missing required keys for behavioral filter: value",
        ),
        (behavior(event_filters=[{"type": "hogql"}]), "Missing required keys for behavioral filter: key"),
        (cohort(value=...), "Missing required keys for cohort filter: value"),
        (cohort(key=...), "Missing required keys for cohort filter: key"),
    ],
)
def test_a_missing_key_is_a_sentence(leaf: dict, detail: str):
    for filters in (tree(leaf), tree({"type": "OR", "values": [person(), leaf]}), tree(person(extra=1), leaf)):
        error = refusal(filters)
        assert (error.detail, error.attr, error.code) == (detail, "filters", "invalid_input")


def test_of_several_missing_keys_the_first_is_named():
    filters = tree(person(operator=...), behavior(key=...))
    assert refusal(filters).detail == "Missing required keys for person filter: operator"


@pytest.mark.parametrize("operator", ["is_date_after", "is_date_before"])
@pytest.mark.parametrize("value", ["garbage", "-99999d", "10000d", "", "9999999999", "9999y", True, {}, ["-7d", "x"]])
def test_a_date_that_is_none_is_refused(operator: str, value: Any):
    error = refusal(tree(person(operator=operator, value=value)))
    wrong = value[-1] if isinstance(value, list) else value
    assert f"Invalid date value '{wrong}' for operator '{operator}'. {DATE_HINT}" in error.args[0].replace("\\'", "'")
    assert error.attr == "filters"


def test_a_date_is_refused_in_one_of_a_list_of_errors():
    assert refusal(tree(person(operator="is_date_after", value="x"))).detail.startswith("[{'type': 'value_error'")


def test_sixty_four_groups_may_be_nested_and_no_more():
    group: dict[str, Any] = {"type": "AND", "values": [behavior()]}
    for _ in range(63):
        group = {"type": "AND", "values": [group]}
    assert parse({"properties": group}) == load({"properties": group})
    for _ in range(10_000):
        group = {"type": "AND", "values": [group]}
    error = refusal({"properties": group})
    assert (error.detail, error.attr) == ("Groups are nested more than 64 deep.", "filters")


def test_a_value_nested_too_deep_is_refused():
    value: Any = 1
    for _ in range(10_000):
        value = [value]
    error = refusal(tree(person(value=value)))
    assert (error.detail, error.attr) == ("Values are nested more than 200 deep.", "filters")


@pytest.mark.parametrize(
    "leaf",
    [
        {"x" * 100_000: 1, **person()},
        person(key=["x" * 100_000]),
        person(type="x" * 100_000),
        person(operator="is_date_after", value="x" * 100_000),
        person(key={str(number): number for number in range(100_000)}),
    ],
    ids=["unknown key", "list", "type", "date", "object"],
)
def test_a_refusal_is_never_long(leaf: dict):
    assert len(refusal(tree(*[leaf] * 20)).detail) <= 1_000


@pytest.mark.parametrize(
    "text", ["\0", pytest.param("\ud800", id="surrogate"), "🦔", "\u202e", "\uff19", "{message}", "%s"]
)
def test_strange_text_is_refused_or_kept(text: str):
    for leaf in (person(type=text), person(operator="is_date_after", value=f"x{text}"), cohort(value=text), {text: 1}):
        with pytest.raises(CriteriaError):
            parse(tree(leaf))
    assert dump(parse(tree(person(value=text)))) == tree(person(value=text, negation=False))


@pytest.mark.parametrize("name", ["operator", "key", "value"])
def test_a_number_too_long_to_be_written_is_refused(name: str):
    leaf = person(**{"operator": "is_date_after", name: 10**5000})
    assert refusal(tree(leaf)).attr == "filters"
