from typing import Any

import pytest

from tests.support.cohorts.compiling import MISSING, assert_meets, found, people, prop, refused

pytestmark = pytest.mark.usefixtures("db")

LACKING = [MISSING, None]


@pytest.mark.parametrize(
    ("operator", "yes", "no"),
    [
        ("gt", [6, 10, 1e3], [5, 4, -6]),
        ("gte", [5, 5.0, 6], [4.99]),
        ("min", [5, 5.0, 6], [4.99]),
        ("lt", [4.99, -10, -0.0], [5, 5.0, 6]),
        ("lte", [5, 5.0, 4], [5.01]),
        ("max", [5, 5.0, 4], [5.01]),
    ],
)
def test_numbers_are_compared_as_numbers_and_who_lacks_one_never_matches(operator: str, yes: list[Any], no: list[Any]):
    texts = [[str(each) for each in those] for those in (yes, no)]
    assert_meets(operator, 5, yes=[*yes, *texts[0]], no=[*no, *texts[1], *LACKING])


@pytest.mark.parametrize("value", [5, "5", "5.0", " 5 ", "+5", "5.", "0.5e1", "\t5\n", "50E-1"])
def test_what_reads_as_a_number_is_compared_as_one(value: Any):
    assert_meets("gt", value, yes=[10, "10", " 7 ", "1e3", "5.0001", "+6"], no=[5, "5", "-7", ".5", "5.000", "4e0"])


@pytest.mark.parametrize("value", ["a", "0x10", "1_0", "NaN", "Infinity", "--5", "5e", ".", "\u0665", "1 0"])
def test_what_does_not_read_as_a_number_is_compared_as_text(value: str):
    assert_meets("gte", value, yes=[value, value + "0"], no=[value[:-1]])


@pytest.mark.parametrize("operator", ["gt", "gte", "lt", "lte", "min", "max", "between", "not_between"])
def test_beside_a_number_only_numbers_count(operator: str):
    words = ["a", "5 apples", "6x", "", "-", True, False, {}, [], [9], "é", "NaN"]
    value = [4, 5] if "between" in operator else 5
    numbers: dict[str, list[Any]] = {"between": [5], "not_between": [9, "1"]}
    yes = numbers.get(operator, [9, "9"] if operator in ("gt", "gte", "min") else [1, "1"])
    assert_meets(operator, value, yes=yes, no=[*words, *LACKING])


def test_a_number_is_compared_with_text_as_text():
    assert_meets("lt", "a", yes=[5, "5", "Z", ""], no=["a", "b", True, {}, "é", *LACKING])


def test_text_is_ordered_by_code_points():
    assert_meets("gt", "Z", yes=["a", "é", "日", "🦔", "Z "], no=["A", "Z", "9", " "])


def test_true_is_text_and_no_number():
    assert_meets("gte", True, yes=[True, "true", "tru\u00e9"], no=[1, 2, "false", False, *LACKING])


@pytest.mark.parametrize("operator", ["gt", "gte", "lt", "lte", "min", "max"])
def test_any_value_of_a_list_is_enough(operator: str):
    yes = [6, 50] if operator in ("gt", "gte", "min") else [6, 1]
    no = [4, 1, "x"] if operator in ("gt", "gte", "min") else [11, 50, ""]
    assert_meets(operator, [5, 10], yes=yes, no=[*no, *LACKING])


def test_between_includes_both_ends():
    assert_meets("between", [1, 10], yes=[1, 10, 5, "1", "10.0", " 2 ", 1.5], no=[0.99, 10.01, "11", 100, *LACKING])


def test_not_between_is_outside_and_wants_the_property():
    assert_meets("not_between", [1, 10], yes=[0.99, 10.01, "11", 100], no=[1, 10, 5, "1", "10.0", *LACKING])


def test_between_may_have_one_number_for_both_ends():
    assert_meets("between", [5, "5.0"], yes=[5, "5"], no=[5.1])


@pytest.mark.parametrize("operator", ["between", "not_between"])
@pytest.mark.parametrize(
    "value", [5, "5", "1,5", {}, [5], [1, 2, 3], ["a", "b"], [1, "b"], [1, None], [True, 5], [[1], 5], ["", 5]]
)
def test_between_wants_two_numbers(operator: str, value: Any):
    assert refused(prop(operator, value)) == f"{operator} takes a list of two numbers"


@pytest.mark.parametrize("operator", ["between", "not_between"])
@pytest.mark.parametrize("value", [[10, 1], ["10", "9"], ["1e3", 5]])
def test_between_wants_the_smaller_number_first(operator: str, value: Any):
    assert refused(prop(operator, value)) == f"{operator} takes the smaller number first"


@pytest.mark.parametrize("space", "\u0085 \u00a0 \u1680 \u2003 \u2028 \u3000 \x1c \x1f".split(" "))
def test_odd_spaces_around_a_number_do_not_fail_the_others(space: str):
    people(properties={"odd": {"a": f"{space}6{space}"}, "short": {"a": " 6\t"}, "other": {"a": "8"}})
    assert found(prop("lt", 7)) - {"odd"} == {"short"}


@pytest.mark.parametrize(
    "text", ["9" * 101, "1e9999", "1" * 140_000, "1e-99999", "." + "1" * 20_000, "1e999", "9e-999"]
)
def test_numbers_too_long_to_be_cast_do_not_fail_the_others(text: str):
    people(properties={"long": {"a": text}, "short": {"a": 6}, "other": {"a": 8}})
    assert found(prop("lt", 7)) - {"long"} == {"short"}


def test_a_number_of_hundreds_of_digits_is_a_number():
    assert_meets("lt", 1e200, yes=[5, 9e199, "5", -1], no=[1e200, 2e200, *LACKING])


def test_between_takes_numbers_of_hundreds_of_digits():
    assert_meets("between", [1, 1e200], yes=[5, 1e199, "7"], no=[0, 2e200, *LACKING])


@pytest.mark.parametrize("operator", ["gt", "lt", "gte", "lte"])
def test_ten_thousand_bounds_are_a_list_as_any_other(operator: str):
    assert_meets(operator, list(range(100, 10_100)), yes=[1000, "2000"], no=LACKING)
