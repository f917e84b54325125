from typing import Any

import pytest

from cohorts.sql.property_values import CompileError
from tests.support.cohorts.compiling import behavior, found, people, prop, refused, statement
from tests.support.cohorts.evaluator import Event
from tests.support.cohorts.populations import NOW

NEGATED = "Top level condition cannot be negated"
EMPTY = "A group of conditions cannot be empty"


@pytest.fixture
def _people(db: None) -> None:
    """Everybody has `all`; the names say who has which of x, y, z."""
    names = ["none", "x", "y", "z", "xy", "xz", "yz", "xyz"]
    letters = {name: set(name) if name != "none" else set() for name in names}
    people(properties={name: {"all": 1, **dict.fromkeys(found_in, 1)} for name, found_in in letters.items()})


def has(key: str) -> dict[str, Any]:
    return prop("exact", 1, key=key)


def no(key: str) -> dict[str, Any]:
    return {**has(key), "negation": True}


def every(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {"type": "AND", "values": list(nodes)}


def some(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {"type": "OR", "values": list(nodes)}


@pytest.mark.usefixtures("_people")
@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (every(has("x")), "x xy xz xyz"),
        (every(has("x"), has("y")), "xy xyz"),
        (every(has("x"), no("y")), "x xz"),
        (every(no("y"), has("x"), no("z")), "x"),
        (every(has("x"), has("y"), no("z")), "xy"),
        (some(has("x"), has("y")), "x y xy xz yz xyz"),
        (every(has("x"), every(no("y"), no("z"))), "x"),
        (every(has("x"), some(no("y"), no("z"))), "x xy xz"),
        (every(has("x"), some(has("y"), no("z"))), "x xy xyz"),
        (every(has("x"), some(every(has("y"), no("z")), no("y"))), "x xy xz"),
        (every(has("x"), some(every(no("y"), no("z")), every(has("y"), has("z")))), "x xyz"),
        (every(has("x"), every(some(has("y"), no("z")))), "x xy xyz"),
        (every(some(every(no("y")), no("z")), has("x")), "x xy xz"),
        (some(every(has("x"), no("y")), every(has("y"), no("x"))), "x xz y yz"),
        (some(every(has("x"), some(no("y"), has("z"))), has("y")), "x xz xyz y xy yz"),
        (every(some(has("x"), has("y")), no("z")), "x y xy"),
        (every(has("all"), no("x"), no("y"), no("z")), "none"),
        (every(has("all"), some(no("x"), no("y"), no("z"))), "none x y z xy xz yz"),
        (every(has("x"), no("x")), ""),
    ],
)
def test_negation_is_the_algebra_of_sets(node: dict[str, Any], expected: str):
    assert found(*node["values"], kind=node["type"]) == set(expected.split())
    assert found(node) == set(expected.split())


@pytest.mark.parametrize(
    "node",
    [
        every(no("x")),
        some(no("x")),
        every(no("x"), no("y")),
        some(no("x"), no("y")),
        some(has("x"), no("y")),
        some(has("x"), every(no("y"), no("z"))),
        every(some(has("x"), no("y"))),
        every(some(has("x"), no("y")), no("z")),
        every(some(has("x"), no("y")), some(has("y"), no("z"))),
        some(every(has("x"), has("y")), some(has("z"), no("x"))),
        every(every(every(no("x")))),
    ],
)
def test_a_root_that_is_negated_is_refused(node: dict[str, Any]):
    assert refused(*node["values"], kind=node["type"]) == NEGATED
    assert refused(node) == NEGATED


@pytest.mark.parametrize(
    "nodes", [[every()], [some()], [has("x"), some()], [every(every()), has("x")], [no("x"), every()]]
)
@pytest.mark.parametrize("kind", ["AND", "OR"])
def test_an_empty_group_is_refused(nodes: list[dict[str, Any]], kind: str):
    assert refused(*nodes, kind=kind) == EMPTY


def test_nonsense_is_refused_at_every_place():
    for node in (prop("bananas", 1), behavior("bananas"), behavior(time_value=0), prop("in", 1)):
        for tree in (has("x"), every(has("x"), node)), (has("x"), {**node, "negation": True}):
            with pytest.raises(CompileError):
                statement(*tree)


@pytest.mark.usefixtures("_people")
def test_a_person_without_the_property_is_left_by_a_negated_leaf():
    assert found(has("all"), prop("gt", 0, key="x", negation=True)) == {"none", "y", "z", "yz"}


@pytest.mark.usefixtures("_people")
def test_negating_a_negative_operator_wants_the_property():
    assert found(has("all"), prop("is_not", 1, key="x", negation=True)) == {"x", "xy", "xz", "xyz"}


def test_a_negated_behaviour_leaves_those_without_events(db: None):
    people("none", events={"did": [Event("e", NOW)], "other": [Event("f", NOW)]})
    assert found(prop("is_not_set"), behavior(negation=True)) == {"none", "other"}


def test_negation_counts_those_who_did_otherwise(db: None):
    people("none", events={"once": [Event("e", NOW)], "twice": [Event("e", NOW)] * 2})
    twice = behavior("performed_event_multiple", operator="gte", operator_value=2, negation=True)
    assert found(prop("is_not_set"), twice) == {"none", "once"}
