from typing import Any

import pytest

from tests.support.cohorts.compiling import MISSING, assert_meets, found, people, prop, refused

pytestmark = pytest.mark.usefixtures("db")

ORDER = ["0.0.3", "0.2.3", "1.2.3", "1.2.4", "1.3", "1.10.0", "2", "10.0.0"]
NO_VERSIONS = ["x", "", "1.2.3.4", "1.x", "1..2", ".1", "1.2.", "9999999999", True, [], {}, MISSING, None]
OPERATORS = [f"semver_{each}" for each in "eq neq gt gte lt lte tilde caret wildcard".split()]


@pytest.mark.parametrize("place", range(len(ORDER)))
@pytest.mark.parametrize("operator", ["eq", "neq", "gt", "gte", "lt", "lte"])
def test_versions_are_ordered_by_their_numbers(operator: str, place: int):
    below, same, above = ORDER[:place], [ORDER[place]], ORDER[place + 1 :]
    yes = {
        "eq": same,
        "neq": [*below, *above],
        "gt": above,
        "gte": [*same, *above],
        "lt": below,
        "lte": [*below, *same],
    }[operator]
    assert_meets(f"semver_{operator}", ORDER[place], yes=yes, no=[*(set(ORDER) - set(yes)), *NO_VERSIONS])


@pytest.mark.parametrize("value", ["1.2", "v1.2", "1.2.0", "v1.2.0", 1.2, "1.2.0+build-7", "1.02.000"])
def test_versions_are_written_in_several_ways(value: Any):
    assert_meets(
        "semver_eq", value, yes=["1.2", "v1.2.0", 1.2, "1.2.0+b", "1.2.0-a"], no=["1.2.1", "V1.2", *NO_VERSIONS]
    )


@pytest.mark.parametrize(
    ("operator", "value", "yes", "no"),
    [
        ("caret", "1.2.3", ["1.2.3", "1.2.3-a", "1.9.0", "1.10"], ["1.2.2", "1.2.2-a", "2.0.0", "2.0.0-a", "0.9"]),
        ("caret", "0.2.3", ["0.2.3", "0.2.99"], ["0.2.2", "0.3.0", "0.3.0-a", "1.0"]),
        ("caret", "0.0.3", ["0.0.3"], ["0.0.2", "0.0.4", "0.1"]),
        ("caret", "1", ["1", "1.99"], ["0.9", "2"]),
        ("caret", "0", ["0.0.1", "0.9.9"], ["1.0.0"]),
        ("caret", "0.0", ["0.0.9"], ["0.1.0"]),
        ("tilde", "1.2.3", ["1.2.3", "1.2.99"], ["1.2.2", "1.3.0", "1.3.0-a", "2.2.3"]),
        ("tilde", "1.2", ["1.2.0", "1.2.9"], ["1.1.9", "1.3.0"]),
        ("tilde", "1", ["1.0.0", "1.9.9"], ["0.9", "2.0.0"]),
        ("wildcard", "1.2.*", ["1.2.0", "1.2.9", "1.2.0-a"], ["1.1.9", "1.3.0", "1.3.0-a"]),
        ("wildcard", "1.*", ["1.0.0", "1.9.9"], ["0.9", "2.0.0"]),
        ("wildcard", "1.*.*", ["1.0.0", "1.9.9"], ["0.9", "2.0.0"]),
        ("wildcard", "v0.*", ["0.0.0", "v0.9"], ["1"]),
        ("wildcard", ["1.2.*", "3.*"], ["1.2.5", "3.3.3"], ["1.3", "2"]),
    ],
)
def test_a_range_meets_the_versions_in_it(operator: str, value: Any, yes: list[str], no: list[str]):
    assert_meets(f"semver_{operator}", value, yes=yes, no=[*no, *NO_VERSIONS])


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("value", ["x", "", "1.2.3.4", "1.x", "-1", "*", "1.*.2", True, {}, ["1.2", "x"], "9999999999"])
def test_what_is_no_version_is_refused(operator: str, value: Any):
    assert "is no version" in refused(prop(operator, value))


@pytest.mark.parametrize("value", ["1.2.3", "1"])
def test_a_version_without_a_wildcard_is_refused(value: str):
    assert refused(prop("semver_wildcard", value)) == f"{value!r} is no version with a wildcard"


def test_the_largest_numbers_are_compared():
    assert_meets("semver_caret", "999999999.1", yes=["999999999.999999999.999999999"], no=["1", "1000000000.0"])


def test_any_version_of_a_list_is_enough():
    assert_meets("semver_gt", ["2.0.0", "1.5"], yes=["1.6", "2.1"], no=["1.5", "1.0", *NO_VERSIONS])


@pytest.mark.parametrize("operator", ["semver_eq", "semver_gte"])
def test_fifteen_thousand_versions_are_a_list_as_any_other(operator: str):
    assert_meets(operator, [f"1.2.{number}" for number in range(15_000)], yes=["1.2.7777"], no=["1.1", MISSING])


def test_a_pre_release_is_its_release():
    same = ["1.2.3-beta.1", "1.2.3", "v1.2.3-rc.1+5", "1.2.3+b"]
    assert_meets("semver_gte", "1.2.3", yes=[*same, "1.2.4-a"], no=["1.2.2-a"])
    people(project_id=1, properties={str(place): {"a": each} for place, each in enumerate(same)})
    assert found(prop("semver_eq", "1.2.3-alpha"), project=1) == {"0", "1", "2", "3"}
    assert found(prop("semver_gt", "1.2.3-alpha"), project=1) == set()
