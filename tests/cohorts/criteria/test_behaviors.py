import pytest

from cohorts.criteria.parse import dump, load, parse
from tests.support.cohorts.criteria_parts import DAY, LATER, behavior, refusal, tree

UNPARSABLE = "PropertyGroup is unparsable: "
SEQUENCE = {**DAY, **LATER, "seq_event": "b", "seq_event_type": "events"}
REGULARLY = {**DAY, "operator_value": 1, "min_periods": 2, "total_periods": 3}
COMPLETE = {
    "performed_event": DAY,
    "performed_event_multiple": {**DAY, "operator_value": 1},
    "performed_event_first_time": DAY,
    "performed_event_sequence": SEQUENCE,
    "performed_event_regularly": REGULARLY,
    "stopped_performing_event": {**DAY, **LATER},
    "restarted_performing_event": {**DAY, **LATER},
}
DATED_KINDS = ("performed_event", "performed_event_multiple", "performed_event_first_time")


def leaf_of(kind: str, fields: dict) -> dict:
    return behavior(**{"time_value": ..., "time_interval": ..., **fields, "value": kind})


@pytest.mark.parametrize("kind", COMPLETE)
def test_what_a_kind_needs_is_enough(kind: str):
    leaf = leaf_of(kind, COMPLETE[kind])
    assert dump(parse(tree(leaf))) == tree({**leaf, "negation": False})


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("performed_event_multiple", "operator_value"),
        *(("performed_event_sequence", name) for name in SEQUENCE),
        *(("performed_event_regularly", name) for name in REGULARLY),
        *(("stopped_performing_event", name) for name in {**DAY, **LATER}),
        *(("restarted_performing_event", name) for name in {**DAY, **LATER}),
    ],
)
@pytest.mark.parametrize("absent", [..., None])
def test_what_a_kind_lacks_is_named(kind: str, name: str, absent: object):
    error = refusal(tree({"type": "OR", "values": [leaf_of(kind, {**COMPLETE[kind], name: absent})]}))
    assert error.detail == f"{UNPARSABLE}Missing required attr {name} for property type behavioral::{kind}"
    assert (error.attr, error.code) == ("filters", "invalid_input")


@pytest.mark.parametrize("kind", DATED_KINDS)
@pytest.mark.parametrize("lacking", [["time_value"], ["time_interval"], ["time_value", "time_interval"]])
def test_a_time_is_a_span_or_an_explicit_date(kind: str, lacking: list[str]):
    fields = {**COMPLETE[kind], **dict.fromkeys(lacking, ...)}
    error = refusal(tree(leaf_of(kind, fields)))
    assert error.detail.startswith(f"{UNPARSABLE}Missing required parameters, atleast one of values (")
    assert (error.attr, error.code) == ("filters", "invalid_input")
    assert parse(tree(leaf_of(kind, {**fields, "explicit_datetime": "-14d"}))).properties.values


@pytest.mark.parametrize("kind", sorted(set(COMPLETE) - set(DATED_KINDS)))
def test_an_explicit_date_does_not_replace_the_span_of_the_other_kinds(kind: str):
    fields = {**COMPLETE[kind], "time_value": ..., "explicit_datetime": "-14d"}
    assert "Missing required attr time_value" in refusal(tree(leaf_of(kind, fields))).detail


@pytest.mark.parametrize(
    "kind", ["performed_event_twice", "", "PERFORMED_EVENT", pytest.param("x" * 100_000, id="long")]
)
def test_an_unknown_kind_is_refused(kind: str):
    error = refusal(tree(leaf_of(kind, SEQUENCE)))
    assert error.detail == f"{UNPARSABLE}unknown behavioral filter {kind[:100]!r}"
    assert (error.attr, error.code) == ("filters", "invalid_input")


@pytest.mark.parametrize(
    "fields",
    [
        {"time_value": 0},
        {"time_value": -5},
        {"time_interval": "fortnight"},
        {"event_type": "bananas"},
        {"explicit_datetime": "garbage"},
        {"operator": "bananas"},
        {"min_periods": 3, "total_periods": 2},
        {"key": ""},
        {"key": 10**40},
    ],
)
def test_what_makes_no_sense_is_left_to_the_calculation(fields: dict):
    assert parse(tree(behavior(**fields))) == load(tree(behavior(**fields)))


@pytest.mark.parametrize("kind", [*COMPLETE, "bananas"])
def test_stored_criteria_may_lack_what_a_kind_needs(kind: str):
    leaf = leaf_of(kind, {})
    assert dump(load(tree(leaf))) == tree({**leaf, "negation": False})
