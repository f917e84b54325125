"""Conditions on properties: every operator, with the rules of D42, D59 and D61, as SQL.

A condition is true or false, never null: the operator decides about persons without the property.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from cohorts.criteria.dates import Clock, moment
from cohorts.sql.fragments import FALSE, TRUE, Sql, all_of, any_of, negate
from cohorts.sql.regex.translate import RegularExpressionError, translate

# Numbers as text, with a bounded exponent, since a larger one would overflow. Valid in both Python and Postgres.
_NUMBER: Final = r"^[ \t\n\r\f\v]*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?[ \t\n\r\f\v]*$"
_LONGEST_NUMBER: Final = 1000
#: Text that is the JSON form of a number.
_SHOWN_NUMBER: Final = re.compile(r"0|-?(0\.[0-9]*[1-9]|[1-9][0-9]*(\.[0-9]*[1-9])?)")
_DATE: Final = (
    r"^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,20})?)?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?)?$"
)
_UNIX_TIME: Final = r"^[0-9]{9,13}$"
#: The most digits of a Unix time in seconds; longer ones are in milliseconds.
_LONGEST_SECONDS: Final = 11
_SEMVER: Final = r"^v?[0-9]{1,9}(\.[0-9]{1,9}){0,2}([-+].*)?$"
_COMPARISONS: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "min": ">=", "max": "<="}


class CompileError(Exception):
    """The criteria are well-formed, but invalid; `code` is the kind of error."""

    code = "validation_error"


class InvalidExpression(CompileError):
    """A regular expression cannot be used, or there are too many of them (D54)."""

    code = "invalid_regex"


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


@dataclass(frozen=True)
class Property:
    """A property as SQL: as text, as JSON, and as a number (`number_of`)."""

    text: Sql
    json: Sql
    number: Sql

    @classmethod
    def of(cls, column: str, key: str) -> "Property":
        """Return the property `key` of a jsonb column."""
        text, json = Sql(f"({column} ->> %s)", (key,)), Sql(f"({column} -> %s)", (key,))
        return cls(text, json, number_of(text, json))

    def compared(self, sign: str, values: list[Any]) -> Sql:
        """Compare with any of the values: numbers, and texts of numbers, with numbers only, the rest as text (D42)."""
        # A value that is above any of several is above the least of them.
        extreme = min if sign.startswith(">") else max
        texts = [text_of(value) for value in values]
        numbers = [Decimal(text.strip()) for value, text in zip(values, texts, strict=True) if _is_number(value, text)]
        words = [text for value, text in zip(values, texts, strict=True) if not _is_number(value, text)]
        parts = []
        if numbers:
            parts.append(Sql(f"{self.number.text} {sign} %s::numeric", (*self.number.values, extreme(numbers))))
        if words:
            word = extreme(words, key=str.encode)
            parts.append(Sql(f'{self.text.text} COLLATE "C" {sign} %s', (*self.text.values, word)))
        return any_of(_known(part) for part in parts)

    def time(self, zone: str) -> Sql:
        """Return the property as a time, null if it is none; a date without a zone is in `zone` (D58, D59)."""
        return _fill(
            "CASE WHEN {text} ~ %s THEN CASE WHEN substr({text}, 9, 2)::int"
            " <= extract(day FROM (substr({text}, 1, 7) || '-01')::date + interval '1 month' - interval '1 day')"
            " THEN CASE WHEN substr({text}, 11) ~ '[Z+-]' THEN {text}::timestamptz"
            " ELSE {text}::timestamp AT TIME ZONE %s END END"
            " WHEN {text} ~ %s"
            " THEN to_timestamp({text}::double precision / CASE WHEN length({text}) > %s THEN 1000 ELSE 1 END) END",
            *(_DATE, zone, _UNIX_TIME, _LONGEST_SECONDS),
            text=self.text,
        )

    def version(self) -> Sql:
        """Return the property as an array of three numbers, null if it is not a version (D61)."""
        return _fill(
            "CASE WHEN {text} ~ %s THEN"
            " (string_to_array(regexp_replace({text}, '^v|[-+].*$', '', 'g'), '.')::int[] || ARRAY[0, 0])[1:3] END",
            _SEMVER,
            text=self.text,
        )


def number_of(text: Sql, json: Sql) -> Sql:
    """Return a property as a number, null if it is neither a number nor the text of one."""
    # Only CASE guarantees that a value is checked before it is cast.
    return _fill(
        "CASE WHEN jsonb_typeof({json}) = 'number' THEN ({json})::numeric"
        " WHEN length({text}) < %s AND {text} ~ %s THEN ({text})::numeric END",
        *(_LONGEST_NUMBER, _NUMBER),
        text=text,
        json=json,
    )


def _fill(template: str, *values: Any, **pieces: Sql) -> Sql:
    """Put fragments into a template by their names, and their values among the others in order of appearance."""
    text, rest = "", iter(values)
    bound: list[Any] = []
    for part in re.split(r"(\{[a-z]+\}|%s)", template):
        piece = pieces.get(part.strip("{}"))
        text += part if piece is None else piece.text
        bound += piece.values if piece else [next(rest)] if part == "%s" else []
    return Sql(text, tuple(bound))


def text_of(value: Any) -> str:
    """Return a JSON value as the text that Postgres would make of it."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        value = value or 0.0  # for Postgres minus zero is zero
        return f"{Decimal(repr(value)):f}"
    return json.dumps(value, ensure_ascii=False)


def _is_number(value: Any, text: str) -> bool:
    """Return whether a value is a number or the text of one."""
    return not isinstance(value, bool) and len(text) < _LONGEST_NUMBER and re.match(_NUMBER, text) is not None


def values_of(value: Any) -> list[Any]:
    """Return the values of a list, or a single value as a list; without nulls."""
    return [each for each in (value if isinstance(value, list) else [value]) if each is not None]


def _known(part: Sql) -> Sql:
    return Sql(f"COALESCE({part.text}, false)", part.values)


def _equal(prop: Property, name: str, value: Any, clock: Clock) -> Sql:
    if name in ("in", "not_in") and not isinstance(value, list):
        raise CompileError(f"{name} takes a list")
    objects = [json.dumps(each) for each in values_of(value) if isinstance(each, dict | list)]
    scalars = [each for each in values_of(value) if not isinstance(each, dict | list)]
    texts = [text_of(each) for each in scalars]
    # JSON numbers are compared by value: 5.0 equals 5, whose text is "5" (D42).
    numbers = [text for each, text in zip(scalars, texts, strict=True) if _is_json_number(each, text)]
    parts = []
    if texts:
        texts += [each.rstrip("0").rstrip(".") for each in numbers if "." in each]
        parts.append(Sql(f"{prop.text.text} = ANY(%s::text[])", (*prop.text.values, texts)))
    if numbers or objects:
        parts.append(Sql(f"{prop.json.text} = ANY(%s::text[]::jsonb[])", (*prop.json.values, [*numbers, *objects])))
    return any_of(_known(part) for part in parts)


def _is_json_number(value: Any, text: str) -> bool:
    """Return whether a value is a number or the JSON form of one."""
    if isinstance(value, str):
        return len(text) < _LONGEST_NUMBER and _SHOWN_NUMBER.fullmatch(text) is not None
    return not isinstance(value, bool)


def _contain(prop: Property, name: str, value: Any, clock: Clock) -> Sql:
    # % and _ are wildcards as in the real service, a backslash is itself (D42).
    patterns = [f"%{text_of(each)}%".replace("\\", "\\\\") for each in values_of(value)]
    return _known(Sql(f"{prop.text.text} ILIKE ANY(%s::text[])", (*prop.text.values, patterns)))


def _match(prop: Property, name: str, value: Any, clock: Clock) -> Sql:
    try:
        patterns = [translate(text_of(each)) for each in values_of(value)]
    except RegularExpressionError as error:
        raise InvalidExpression(str(error)) from error
    return _known(Sql(f"{prop.text.text} ~ ANY(%s::text[])", (*prop.text.values, patterns)))


def _is_set(prop: Property, name: str, value: Any, clock: Clock) -> Sql:
    return Sql(f"{prop.text.text} IS NOT NULL", prop.text.values)


def _compare(prop: Property, name: str, value: Any, clock: Clock) -> Sql:
    return prop.compared(_COMPARISONS[name], values_of(value))


def _between(prop: Property, name: str, value: Any, clock: Clock) -> Sql:
    bounds = value if isinstance(value, list) else []
    if len(bounds) != 2 or not all(_is_number(bound, text_of(bound)) for bound in bounds):
        raise CompileError(f"{name} takes a list of two numbers")
    low, high = (Decimal(text_of(bound).strip()) for bound in bounds)
    if low > high:
        raise CompileError(f"{name} takes the smaller number first")
    number, word = prop.number, "NOT BETWEEN" if name == "not_between" else "BETWEEN"
    return _known(Sql(f"{number.text} {word} %s::numeric AND %s::numeric", (*number.values, low, high)))


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
    return _known(Sql(f"{time.text} {sign} %s", (*time.values, bound)))


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
        return _known(Sql(f"({version.text})::text = ANY(%s::text[])", (*version.values, arrays)))
    if sign == "<>" and min(bounds) != max(bounds):
        return Sql(f"({version.text}) IS NOT NULL", version.values)
    bound = min(bounds) if sign.startswith(">") else max(bounds)
    return _known(Sql(f"{version.text} {sign} %s::int[]", (*version.values, bound)))


_VERSION_SIGNS: Final = {
    "semver_eq": "=",
    "semver_neq": "<>",
    "semver_gt": ">",
    "semver_gte": ">=",
    "semver_lt": "<",
    "semver_lte": "<=",
}


def _parsed_version(text: str) -> list[int]:
    if not re.match(_SEMVER, text):
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
