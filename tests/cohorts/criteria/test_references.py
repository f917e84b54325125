from typing import Any

import pytest

from cohorts.criteria.parse import is_behavioral, references
from tests.support.cohorts.criteria_parts import behavior, cohort, person, tree

DEEP = tree({"type": "OR", "values": [{"type": "AND", "values": [cohort(value=3)]}]}, cohort(value="4"), person())


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        (tree(), set()),
        (tree(cohort(value=3), cohort(value=3)), {3}),
        (DEEP, {3, 4}),
        (tree(cohort(value=[5, "6", "x", None])), {5, 6}),
        (
            tree(cohort(value="word"), cohort(value=None), cohort(value=...), cohort(value={}), cohort(value=True)),
            set(),
        ),
        (tree(cohort(value="9" * 5000), cohort(value=1.5)), set()),
        (tree(person(value={"type": "cohort", "value": 3})), set()),
        ([{"type": "cohort", "value": 3}], {3}),
        ({"a": {"b": [{"type": "cohort", "value": 3}]}}, {3}),
    ],
)
def test_the_references_of_stored_filters(filters: Any, ids: set):
    assert references(filters) == ids


@pytest.mark.parametrize("filters", [None, 5, "x", [], {}, {"properties": None}, {"properties": {"type": []}}, [[[]]]])
def test_json_of_any_shape_refers_to_nothing(filters: Any):
    assert (references(filters), is_behavioral(filters)) == (set(), False)


def test_no_depth_is_too_deep():
    filters: Any = [cohort(value=3), behavior()]
    for _ in range(100_000):
        filters = [filters]
    assert references(filters) == {3}
    assert is_behavioral(filters)


def test_a_behavioral_leaf_is_found_at_any_depth():
    assert is_behavioral(tree(person(), {"type": "OR", "values": [behavior(value="bananas")]}))
    assert not is_behavioral(tree(person(value={"type": "behavioral"}), cohort()))
