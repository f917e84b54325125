from typing import Any

import pytest

from cohorts.sql.property_values import InvalidExpression
from tests.support.cohorts.compiling import MISSING, assert_meets, found, people, prop, refused, statement

pytestmark = pytest.mark.usefixtures("db")

LACKING = [MISSING, None]
MANY = [f"v{number}" for number in range(100_000)]
OPERATORS = """
    exact is_not icontains not_icontains regex not_regex is_set is_not_set gt gte lt lte min max between not_between
    is_date_exact is_date_before is_date_after in not_in semver_eq semver_neq semver_gt semver_gte semver_lt
    semver_lte semver_tilde semver_caret semver_wildcard
""".split()


@pytest.mark.parametrize("operator", ["exact", "is_date_exact", None])
def test_exact_compares_text_forms_with_case(operator: str | None):
    assert_meets(operator, "Pro", yes=["Pro"], no=["pro", "PRO", "Pro ", "", 5, True, ["Pro"], {"Pro": 1}, *LACKING])


@pytest.mark.parametrize(
    ("value", "yes", "no"),
    [
        (5, [5, "5", 5.0], ["5.0", " 5", 50, *LACKING]),
        ("5", [5, "5", 5.0], ["5.0", "05", " 5", True]),
        (5.0, [5.0, "5.0", 5, "5"], ["05", "5.00"]),
        ("5.0", ["5.0", 5.0], [5, "5"]),
        (5.25, [5.25, "5.25"], ["5.250", 5]),
        ("-0.5", [-0.5, "-0.5"], ["-.5", 0.5]),
        (1e21, [1e21, 10**21, "1000000000000000000000"], ["1e21"]),
        (1e-7, [1e-7, "0.0000001"], ["1e-07"]),
        (True, [True, "true"], [1, "True", "1", False]),
        ("false", [False, "false"], [0, "", *LACKING]),
        (False, [False, "false"], [0, "", *LACKING]),
        ("", [""], [" ", 0, *LACKING]),
        ("[1, 2]", [[1, 2], "[1, 2]"], [[1], "[1,2]"]),
        ({"b": 1, "a": [None]}, [{"a": [None], "b": 1}], [{"a": [], "b": 1}, {"b": 1}]),
        ([[1, 2]], [[1, 2]], [[2, 1], [1], 1]),
        ("null", ["null"], LACKING),
    ],
)
def test_exact_takes_every_json_value(value: Any, yes: list[Any], no: list[Any]):
    assert_meets("exact", value, yes=yes, no=no)


def test_exact_minus_nought_is_nought():
    assert_meets("exact", -0.0, yes=[-0.0, 0.0, "0.0"])


@pytest.mark.parametrize("operator", ["exact", "is_date_exact", "in"])
def test_exact_and_in_with_a_list_mean_any_of_it(operator: str):
    assert_meets(operator, ["x", 5], yes=["x", "5", 5], no=["y", "", *LACKING])


@pytest.mark.parametrize("operator", ["is_not", "not_in"])
def test_is_not_and_not_in_with_a_list_mean_none_of_it_also_for_those_who_lack_the_property(operator: str):
    assert_meets(operator, ["x", 5], yes=["y", "", False, *LACKING], no=["x", "5", 5])


def test_is_not_matches_a_person_without_the_property():
    assert_meets("is_not", "x", yes=["X", "", 0, [], *LACKING], no=["x"])


def test_icontains_ignores_case_and_searches_the_text_form():
    assert_meets("icontains", "bÉ", yes=["abéc", "ABÉC", ["bé"], {"bé": 1}], no=["be", "", *LACKING])


@pytest.mark.parametrize(
    ("value", "yes", "no"),
    [
        ("a%c", ["abbc", "ac", "xAbcx", "a\nc"], ["ca", "a"]),
        ("a_c", ["abc", "a%c", "a\nc", "aéc"], ["ac", "abbc"]),
        ("\\", ["a\\b", "\\"], ["ab", "/"]),
        ("\\%", ["a\\b", "\\"], ["%", "a%"]),
        ("\\_", ["\\b"], ["_", "\\"]),
        ("\\\\", ["\\\\"], ["\\"]),
        ("'\"", ["'\""], ["'"]),
        ("", ["", "x", 0, []], LACKING),
        (5, [5, 15.2, "x5"], [6]),
        (True, [True, "untrue"], [1]),
    ],
)
def test_icontains_knows_two_wildcards_and_a_backslash_is_itself(value: Any, yes: list[Any], no: list[Any]):
    assert_meets("icontains", value, yes=yes, no=no)


def test_icontains_with_a_list_means_any_of_it():
    assert_meets("icontains", ["ab", "CD"], yes=["xabx", "cd"], no=["a", *LACKING])


def test_not_icontains_with_a_list_means_none_of_it_also_for_those_who_lack_the_property():
    assert_meets("not_icontains", ["ab", "CD"], yes=["a", "", *LACKING], no=["xabx", "cd"])


def test_regex_searches_anywhere_with_case():
    assert_meets("regex", "b+", yes=["abc", "b", ["b"]], no=["B", "", *LACKING])


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("^a.c$", ["abc", "a\nc"], ["abcd", "xabc"]),
        ("(?i)ABC", ["abc", "aBc"], ["ab"]),
        ("\\d", ["a5", 5], ["\u0665", "a"]),
        (r"\b(acme|test)\b", ["acme", "a test.", "[acme]"], ["acmes", "contest"]),
        ("^$", [""], [" ", *LACKING]),
        (5, [5, "15"], [6]),
    ],
)
def test_regular_expressions_are_those_of_re2(pattern: Any, yes: list[Any], no: list[Any]):
    assert_meets("regex", pattern, yes=yes, no=no)
    people(project_id=1, properties={str(place): {"a": each} for place, each in enumerate(yes)})
    assert found(prop("not_regex", pattern), project=1) == set()


def test_regex_with_a_list_means_any_of_it():
    assert_meets("regex", ["^a", "z$"], yes=["ab", "yz"], no=["b", *LACKING])


def test_not_regex_with_a_list_means_none_of_it_also_for_those_who_lack_the_property():
    assert_meets("not_regex", ["^a", "z$"], yes=["b", "", *LACKING], no=["ab", "yz"])


BEHAVIOR = {"type": "behavioral", "key": "e", "value": "performed_event", "event_type": "events"}
SPAN = {"time_value": 1, "time_interval": "day"}


@pytest.mark.parametrize("pattern", ["[", "*", r"(a)\1", "a(?=b)", r"\p{L}", "x{256}", "x" * 1001])
@pytest.mark.parametrize("operator", ["regex", "not_regex"])
def test_what_cannot_be_used_as_a_regular_expression_is_refused(operator: str, pattern: str):
    of_event = {"type": "event", "key": "k", "operator": operator, "value": pattern}
    for node in (prop(operator, ["a", pattern]), {**BEHAVIOR, **SPAN, "event_filters": [of_event]}):
        with pytest.raises(InvalidExpression):
            statement(node)


def test_a_cohort_takes_twenty_regular_expressions():
    of_event = {"type": "event", "key": "k", "operator": "regex", "value": ["a"] * 10}
    tree = [prop("regex", ["a"] * 9), {**BEHAVIOR, **SPAN, "event_filters": [of_event]}]
    statement(*tree, prop("not_regex", "a"))
    with pytest.raises(InvalidExpression, match="There are more than 20 regular expressions"):
        statement(*tree, prop("not_regex", ["a", "b"]))


def test_is_set_wants_any_value_but_null():
    assert_meets("is_set", None, yes=["", 0, False, [], {}], no=LACKING)


def test_is_not_set_wants_none_or_null():
    assert_meets("is_not_set", None, yes=LACKING, no=["", 0, False, [], {}])


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_empty_list_matches_everybody(operator: str):
    assert_meets(operator, [], yes=["x", "", 5, "1.2.3", "2024-01-15", [], *LACKING])


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_empty_list_negated_matches_nobody(operator: str):
    people("one", properties={"two": {"a": 5}})
    assert found(prop("is_not", "z"), prop(operator, [], negation=True)) == set()


@pytest.mark.parametrize("operator", [each for each in OPERATORS if each not in ("in", "not_in") and "set" not in each])
def test_a_list_of_one_means_its_element(operator: str):
    if "between" in operator:
        assert refused(prop(operator, [5])) == refused(prop(operator, 5))
        return
    value = "1.2.*" if "wildcard" in operator else "2024-01-15" if "date" in operator else "1.2"
    haves = ["1.2", "1.2.5", "1.1", "2", 1.2, 5, "x", "2024-01-15", "2024-01-16", "2023-01-01", "", None]
    people("lacking", properties={f"{number}": {"a": have} for number, have in enumerate(haves)})
    assert found(prop(operator, [value])) == found(prop(operator, value)) != set()


@pytest.mark.parametrize("operator", ["in", "not_in"])
@pytest.mark.parametrize("value", ["x", 5, True, {"x": 1}])
def test_in_and_not_in_take_only_lists(operator: str, value: Any):
    assert refused(prop(operator, value)) == f"{operator} takes a list"


def test_in_takes_a_list_of_one():
    assert_meets("in", ["x"], yes=["x"], no=["y", *LACKING])


@pytest.mark.parametrize("operator", ["in", "exact", "icontains"])
def test_a_hundred_thousand_values_are_a_list_as_any_other(operator: str):
    assert_meets(operator, MANY, yes=["v77777"], no=["w", *LACKING])


@pytest.mark.parametrize("operator", ["not_in", "is_not", "not_icontains"])
def test_a_hundred_thousand_values_can_be_excluded(operator: str):
    assert_meets(operator, MANY, yes=["w", *LACKING], no=["v77777"])


@pytest.mark.parametrize("operator", ["bananas", "EXACT", "exact ", "is_cleaned_path_exact", "contains"])
@pytest.mark.parametrize("value", ["x", []])
def test_an_unknown_operator_is_refused(operator: str, value: Any):
    assert refused(prop(operator, value)) == f"unknown operator {operator!r}"
