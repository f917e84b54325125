"""Conditions on properties: every operator, with the rules of D42, D59 and D61, as SQL.

A condition is true or false, never null: the operator decides about persons without the property.
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from cohorts.criteria.dates import Clock, moment
from cohorts.sql.fragments import FALSE, TRUE, Sql, all_of, any_of, negate
from cohorts.sql.property_values import (
    SEMVER,
    CompileError,
    InvalidExpression,
    Property,
    is_json_number,
    is_number,
    known,
    text_of,
    values_of,
)
from cohorts.sql.regex.translate import RegularExpressionError, translate

_COMPARISONS: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "min": ">=", "max": "<="}


def condition(prop: "Property", operator: str | None, value: Any, clock: Clock) -> Sql:
    """Return the condition that a property compares with `value` by `operator`.

    Raises CompileError for an unknown operator, and for values that it does not support.
    """
    name = operator or "exact"
    compile_operator = _OPERATORS.get(name)
    if compile_operator is None:
        raise CompileError(f"unknown operator {name!r}")
    if value == []:
        return TRUE
    return compile_operator(prop, name, value, clock)


def _equal(prop: Property, name: str, value: Any, clock: Clock) -> Sql:
    if name in ("in", "not_in") and not isinstance(value, list):
        raise CompileError(f"{name} takes a list")
    objects = [json.dumps(each) for each in values_of(value) if isinstance(each, dict | list)]
    scalars = [each for each in values_of(value) if not isinstance(each, dict | list)]
    texts = [text_of(each) for each in scalars]
    # JSON numbers are compared by value: 5.0 equals 5, whose text is "5" (D42).
    numbers = [text for each, text in zip(scalars, texts, strict=True) if is_json_number(each, text)]
    parts = []
    if texts:
        texts += [each.rstrip("0").rstrip(".") for each in numbers if "." in each]
        parts.append(Sql(f"{prop.text.text} = ANY(%s::text[])", (*prop.text.values, texts)))
    if numbers or objects:
        parts.append(Sql(f"{prop.json.text} = ANY(%s::text[]::jsonb[])", (*prop.json.values, [*numbers, *objects])))
    return any_of(known(part) for part in parts)


def _contain(prop: Property, name: str, value: Any, clock: Clock) -> Sql:
    # % and _ are wildcards as in the real service, a backslash is itself (D42).
    patterns = [f"%{text_of(each)}%".replace("\\", "\\\\") for each in values_of(value)]
    return known(Sql(f"{prop.text.text} ILIKE ANY(%s::text[])", (*prop.text.values, patterns)))


def _match(prop: Property, name: str, value: Any, clock: Clock) -> Sql:
    try:
        patterns = [translate(text_of(each)) for each in values_of(value)]
    except RegularExpressionError as error:
        raise InvalidExpression(str(error)) from error
    return known(Sql(f"{prop.text.text} ~ ANY(%s::text[])", (*prop.text.values, patterns)))


def _is_set(prop: Property, name: str, value: Any, clock: Clock) -> Sql:
    return Sql(f"{prop.text.text} IS NOT NULL", prop.text.values)


def _compare(prop: Property, name: str, value: Any, clock: Clock) -> Sql:
    return prop.compared(_COMPARISONS[name], values_of(value))


def _between(prop: Property, name: str, value: Any, clock: Clock) -> Sql:
    bounds = value if isinstance(value, list) else []
    if len(bounds) != 2 or not all(is_number(bound, text_of(bound)) for bound in bounds):
        raise CompileError(f"{name} takes a list of two numbers")
    low, high = (Decimal(text_of(bound).strip()) for bound in bounds)
    if low > high:
        raise CompileError(f"{name} takes the smaller number first")
    number, word = prop.number, "NOT BETWEEN" if name == "not_between" else "BETWEEN"
    return known(Sql(f"{number.text} {word} %s::numeric AND %s::numeric", (*number.values, low, high)))


def _date(prop: Property, name: str, value: Any, clock: Clock) -> Sql:
    moments = []
    for each in values_of(value):
        try:
            moments.append(moment(text_of(each), clock))
        except ValueError as error:
            raise CompileError(f"{text_of(each)!r} is no date") from error
    if not moments:
        return FALSE
    time = prop.time(clock.zone)
    sign, bound = ("<", max(moments)) if name == "is_date_before" else (">", min(moments))
    return known(Sql(f"{time.text} {sign} %s", (*time.values, bound)))


def _version(prop: Property, name: str, value: Any, clock: Clock) -> Sql:
    version, texts = prop.version(), [text_of(each) for each in values_of(value)]
    if not texts:
        return FALSE
    if name not in _VERSION_SIGNS:
        ranges = [_version_range(name, text) for text in texts]
        return any_of(
            all_of([_versions(version, ">=", [low]), _versions(version, "<", [high])]) for low, high in ranges
        )
    return _versions(version, _VERSION_SIGNS[name], [_parsed_version(text) for text in texts])


def _versions(version: Sql, sign: str, bounds: list[list[int]]) -> Sql:
    """Compare a version with any of several: with the least or the greatest where that is enough."""
    if sign == "=":
        arrays = [f"{{{','.join(map(str, bound))}}}" for bound in bounds]
        return known(Sql(f"({version.text})::text = ANY(%s::text[])", (*version.values, arrays)))
    if sign == "<>" and min(bounds) != max(bounds):
        return Sql(f"({version.text}) IS NOT NULL", version.values)
    bound = min(bounds) if sign.startswith(">") else max(bounds)
    return known(Sql(f"{version.text} {sign} %s::int[]", (*version.values, bound)))


_VERSION_SIGNS: Final = {
    "semver_eq": "=",
    "semver_neq": "<>",
    "semver_gt": ">",
    "semver_gte": ">=",
    "semver_lt": "<",
    "semver_lte": "<=",
}


def _parsed_version(text: str) -> list[int]:
    if not re.match(SEMVER, text):
        raise CompileError(f"{text!r} is no version")
    return [*[int(number) for number in _core(text).split(".")], 0, 0][:3]


def _core(version: str) -> str:
    """Return only the numbers of a version, without prefix and suffix."""
    return re.split(r"[-+]", version.removeprefix("v"), maxsplit=1)[0]


def _version_range(name: str, text: str) -> tuple[list[int], list[int]]:
    """Return the first version of a range, and the first beyond it."""
    if name == "semver_wildcard":
        text, stars = re.subn(r"(\.\*)+$", "", text)
        if not stars:
            raise CompileError(f"{text!r} is no version with a wildcard")
    low = _parsed_version(text)
    given = _core(text).count(".") + 1
    if name == "semver_wildcard":
        place = given - 1
    elif name == "semver_tilde":
        place = 0 if given == 1 else 1
    else:
        place = next((i for i, number in enumerate(low[:given]) if number), given - 1)
    return low, [*low[:place], low[place] + 1, 0, 0][:3]


def _not(positive: "Compiler") -> "Compiler":
    return lambda prop, name, value, clock: negate(positive(prop, name, value, clock))


#: How many times each operator compares the number of a property.
COMPARISONS_OF_NUMBERS: Final = {**dict.fromkeys(_COMPARISONS, 1), "between": 2, "not_between": 2}
Compiler = Callable[[Property, str, Any, Clock], Sql]
_OPERATORS: Final[Mapping[str, Compiler]] = {
    "exact": _equal,
    "is_date_exact": _equal,
    "in": _equal,
    "is_not": _not(_equal),
    "not_in": _not(_equal),
    "icontains": _contain,
    "not_icontains": _not(_contain),
    "regex": _match,
    "not_regex": _not(_match),
    "is_set": _is_set,
    "is_not_set": _not(_is_set),
    **dict.fromkeys(_COMPARISONS, _compare),
    "between": _between,
    "not_between": _between,
    "is_date_before": _date,
    "is_date_after": _date,
    **dict.fromkeys((*_VERSION_SIGNS, "semver_tilde", "semver_caret", "semver_wildcard"), _version),
}
