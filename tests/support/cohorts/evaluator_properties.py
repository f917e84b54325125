"""Every operator on a property, in plain Python."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from cohorts.criteria.dates import Clock
from tests.support.cohorts import evaluator_values as values
from tests.support.cohorts.evaluator_values import (
    ABSENT,
    Refused,
    equal,
    number_of,
    text_form,
    time_named,
    time_of,
    version_of,
    version_range,
)

__all__ = ["Properties", "Refused", "property_test"]

Properties: TypeAlias = Mapping[str, Any]
Test: TypeAlias = Callable[[Any], bool]


def property_test(operator: str | None, value: Any, clock: Clock) -> Callable[[Properties, str], bool]:
    """Return a function that says whether properties meet a condition on one of them; it refuses for every person."""
    name = operator or "exact"
    make = OPERATORS.get(name)
    if make is None:
        raise Refused("an unknown operator")
    if isinstance(value, list) and not value:
        return lambda properties, key: True
    meets = make(name, value, clock)
    return lambda properties, key: meets(present(properties.get(key)))


def present(value: Any) -> Any:
    return ABSENT if value is None else value


def each_of(value: Any) -> list[Any]:
    return [each for each in (value if isinstance(value, list) else [value]) if each is not None]


def exact(name: str, value: Any, clock: Clock) -> Test:
    if name in ("in", "not_in") and not isinstance(value, list):
        raise Refused("takes a list")
    wanted = each_of(value)

    def equals(have: Any) -> bool:
        if have is ABSENT:
            return False
        return any(equal(have, each) for each in wanted)

    return equals


def icontains(name: str, value: Any, clock: Clock) -> Test:
    wildcards = {"%": ".*", "_": "."}
    patterns = [
        re.compile("".join(wildcards.get(each) or re.escape(each) for each in text_form(one).lower()), re.DOTALL)
        for one in each_of(value)
    ]
    return lambda have: have is not ABSENT and any(each.search(text_form(have).lower()) for each in patterns)


def regex(name: str, value: Any, clock: Clock) -> Test:
    # Only for patterns that mean the same in Python and in Postgres.
    patterns = [re.compile(text_form(each), re.DOTALL | re.ASCII) for each in each_of(value)]
    return lambda have: have is not ABSENT and any(each.search(text_form(have)) for each in patterns)


def is_set(name: str, value: Any, clock: Clock) -> Test:
    return lambda have: have is not ABSENT


def compare(name: str, value: Any, clock: Clock) -> Test:
    sign = {"gt": ">", "gte": ">=", "min": ">=", "lt": "<", "lte": "<=", "max": "<="}[name]
    return lambda have: have is not ABSENT and any(values.meets(sign, have, each) for each in each_of(value))


def between(name: str, value: Any, clock: Clock) -> Test:
    if not isinstance(value, list) or len(value) != 2:
        raise Refused("takes two numbers")
    low, high = number_of(value[0]), number_of(value[1])
    if low is None or high is None or low > high:
        raise Refused("takes two numbers, the smaller first")

    def is_met(have: Any) -> bool:
        number = None if have is ABSENT else number_of(have)
        return number is not None and (low <= number <= high) == (name == "between")

    return is_met


def date(name: str, value: Any, clock: Clock) -> Test:
    bounds = [time_named(text_form(each), clock) for each in each_of(value)]

    def meets(have: Any) -> bool:
        try:
            at = time_of(have, clock)
        except OverflowError:  # in UTC it is in a year that Python does not have
            at = datetime.min.replace(tzinfo=UTC) if have.startswith("0001") else datetime.max.replace(tzinfo=UTC)
        return at is not None and any(at < each if name == "is_date_before" else at > each for each in bounds)

    return meets


def version(name: str, value: Any, clock: Clock) -> Test:
    kind = name.removeprefix("semver_")
    if kind in ("tilde", "caret", "wildcard"):
        ranges = [version_range(kind, text_form(each)) for each in each_of(value)]
        return lambda have: any(low <= found < high for low, high in ranges for found in version_of(have))
    wanted = [each for one in each_of(value) for each in version_of(one) or refuse("no version")]
    signs: dict[str, Callable[[Any, Any], bool]] = {
        "eq": lambda a, b: a == b,
        "neq": lambda a, b: a != b,
        "gt": lambda a, b: a > b,
        "gte": lambda a, b: a >= b,
        "lt": lambda a, b: a < b,
        "lte": lambda a, b: a <= b,
    }
    return lambda have: any(signs[kind](found, each) for found in version_of(have) for each in wanted)


def refuse(why: str) -> list[Any]:
    raise Refused(why)


def inverse(make: Callable[[str, Any, Clock], Test]) -> Callable[[str, Any, Clock], Test]:
    def made(name: str, value: Any, clock: Clock) -> Test:
        meets = make(name, value, clock)
        return lambda have: not meets(have)

    return made


OPERATORS: Mapping[str, Callable[[str, Any, Clock], Test]] = {
    **dict.fromkeys(("exact", "is_date_exact", "in"), exact),
    **dict.fromkeys(("is_not", "not_in"), inverse(exact)),
    "icontains": icontains,
    "not_icontains": inverse(icontains),
    "regex": regex,
    "not_regex": inverse(regex),
    "is_set": is_set,
    "is_not_set": inverse(is_set),
    **dict.fromkeys(("gt", "gte", "lt", "lte", "min", "max"), compare),
    "between": between,
    "not_between": between,
    **dict.fromkeys(("is_date_before", "is_date_after"), date),
    **dict.fromkeys([f"semver_{each}" for each in ("eq", "neq", "gt", "gte", "lt", "lte")], version),
    **dict.fromkeys(("semver_tilde", "semver_caret", "semver_wildcard"), version),
}
