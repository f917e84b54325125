"""Conditions on properties: every operator of contract/cohorts.md 3, with the rules of D42, as SQL.

A condition is true or false and never null: who lacks a property is told apart by the operator alone.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from cohorts.criteria import moment
from cohorts.sql import FALSE, TRUE, Sql, all_of, any_of, negate

# Numbers as text: bounded, since a cast of a longer one overflows. The same pattern for Python and Postgres.
_NUMBER: Final = r"^[ \t\n\r\f\v]*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?[ \t\n\r\f\v]*$"
_LONGEST_NUMBER: Final = 1000
_DATE: Final = (
    r"^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,20})?)?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?)?$"
)
_SEMVER: Final = r"^v?[0-9]{1,9}(\.[0-9]{1,9}){0,2}([-+].*)?$"
_COMPARISONS: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "min": ">=", "max": "<="}


class CompileError(Exception):
    """The criteria are well-formed and mean nothing; `code` says what kind of nonsense it is (1.6)."""

    code = "validation_error"


def condition(column: str, key: str, operator: str | None, value: Any, now: datetime) -> Sql:
    """Return the condition that the property `key` of the jsonb `column` compares with `value` by `operator`.

    Raises CompileError for an unknown operator and for values that it cannot have.
    """
    name = operator or "exact"
    compile_operator = _OPERATORS.get(name)
    if compile_operator is None:
        raise CompileError(f"unknown operator {name!r}")
    if value == []:
        return TRUE
    return compile_operator(Property(column, key), name, value, now)


class Property:
    """A property as Postgres sees it: as text, as JSON, as a time, as a version."""

    def __init__(self, column: str, key: str) -> None:
        self.text = Sql(f"({column} ->> %s)", (key,))
        self.json = Sql(f"({column} -> %s)", (key,))

    def compared(self, sign: str, values: list[Any]) -> Sql:
        """Compare with any of the values: as numbers when both are or read as numbers, else as text (D42)."""
        if not values:
            return FALSE
        # Whoever is above one of several is above the least of them.
        extreme = min if sign.startswith(">") else max
        texts = [text_of(value) for value in values]
        numbers = [Decimal(text.strip()) for value, text in zip(values, texts, strict=True) if _is_number(value, text)]
        words = [text for value, text in zip(values, texts, strict=True) if not _is_number(value, text)]

        def as_text(found: list[str]) -> Sql:
            return self._fill('{text} COLLATE "C" ' + sign + " %s", extreme(found, key=str.encode))

        if not numbers:
            return _known(as_text(texts))
        other = as_text(words) if words else FALSE
        number = extreme(numbers)
        of_json = self._fill("jsonb_typeof({json}) = 'number'")
        json_compared = self._fill("({json})::numeric " + sign + " %s::numeric", number)
        of_text = self._fill("length({text}) < %s AND {text} ~ %s", _LONGEST_NUMBER, _NUMBER)
        text_compared = self._fill("({text})::numeric " + sign + " %s::numeric", number)
        rest = as_text(texts)
        # CASE, since only it promises that nothing is cast that was not looked at before.
        parts = (of_json, json_compared, other, of_text, text_compared, other, rest)
        return _known(
            Sql(
                f"CASE WHEN {of_json.text} THEN {json_compared.text} OR {other.text}"
                f" WHEN {of_text.text} THEN {text_compared.text} OR {other.text} ELSE {rest.text} END",
                tuple(value for part in parts for value in part.values),
            )
        )

    def time(self) -> Sql:
        """Return the property as a time, null when it is no ISO date; naive ones are in UTC as the session is."""
        return self._fill(
            "CASE WHEN {text} ~ %s THEN CASE WHEN substr({text}, 9, 2)::int"
            " <= extract(day FROM (substr({text}, 1, 7) || '-01')::date + interval '1 month' - interval '1 day')"
            " THEN {text}::timestamptz END END",
            _DATE,
        )

    def version(self) -> Sql:
        """Return the property as an array that sorts as semantic versions do, null when it is none."""
        return self._fill(
            "CASE WHEN {text} ~ %s THEN"
            " (string_to_array(regexp_replace({text}, '^v|[-+].*$', '', 'g'), '.')::int[] || ARRAY[0, 0])[1:3]"
            " || (CASE WHEN {text} ~ '^v?[0-9.]+-' THEN 0 ELSE 1 END) END",
            _SEMVER,
        )

    def _fill(self, template: str, *values: Any) -> Sql:
        """Put the property's text and JSON into a template, and its key among the values, in their order."""
        text, rest = "", iter(values)
        bound: list[Any] = []
        for part in re.split(r"(\{text\}|\{json\}|%s)", template):
            if part in ("{text}", "{json}"):
                piece = self.text if part == "{text}" else self.json
                text += piece.text
                bound += piece.values
            else:
                text += part
                bound += [next(rest)] if part == "%s" else []
        return Sql(text, tuple(bound))


def text_of(value: Any) -> str:
    """Return the text by which Postgres would show a JSON value."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        value = value or 0.0  # to Postgres minus nought is nought
        return f"{Decimal(repr(value)):f}"
    return json.dumps(value, ensure_ascii=False)


def _is_number(value: Any, text: str) -> bool:
    """Tell whether a value is a number or text that reads as one."""
    return not isinstance(value, bool) and len(text) < _LONGEST_NUMBER and re.match(_NUMBER, text) is not None


def values_of(value: Any) -> list[Any]:
    """Return the values of a list, or the one that is none; null is nothing to compare with."""
    return [each for each in (value if isinstance(value, list) else [value]) if each is not None]


def _known(part: Sql) -> Sql:
    return Sql(f"COALESCE({part.text}, false)", part.values)


def _equal(prop: Property, name: str, value: Any, now: datetime) -> Sql:
    if name in ("in", "not_in") and not isinstance(value, list):
        raise CompileError(f"{name} takes a list")
    objects = [each for each in values_of(value) if isinstance(each, dict | list)]
    texts = [text_of(each) for each in values_of(value) if not isinstance(each, dict | list)]
    parts = [Sql(f"{prop.text.text} = ANY(%s::text[])", (*prop.text.values, texts))] if texts else []
    parts += [Sql(f"{prop.json.text} = %s::jsonb", (*prop.json.values, json.dumps(each))) for each in objects]
    return any_of(_known(part) for part in parts)


def _contain(prop: Property, name: str, value: Any, now: datetime) -> Sql:
    # % and _ are wildcards as in the real service, a backslash is itself (D42).
    patterns = [f"%{text_of(each)}%".replace("\\", "\\\\") for each in values_of(value)]
    return _known(Sql(f"{prop.text.text} ILIKE ANY(%s::text[])", (*prop.text.values, patterns)))


def _match(prop: Property, name: str, value: Any, now: datetime) -> Sql:
    patterns = [text_of(each) for each in values_of(value)]
    return _known(Sql(f"{prop.text.text} ~ ANY(%s::text[])", (*prop.text.values, patterns)))


def _is_set(prop: Property, name: str, value: Any, now: datetime) -> Sql:
    return Sql(f"{prop.text.text} IS NOT NULL", prop.text.values)


def _compare(prop: Property, name: str, value: Any, now: datetime) -> Sql:
    return prop.compared(_COMPARISONS[name], values_of(value))


def _between(prop: Property, name: str, value: Any, now: datetime) -> Sql:
    bounds = value if isinstance(value, list) else []
    if len(bounds) != 2 or not all(_is_number(bound, text_of(bound)) for bound in bounds):
        raise CompileError(f"{name} takes a list of two numbers")
    low, high = bounds
    if Decimal(text_of(low).strip()) > Decimal(text_of(high).strip()):
        raise CompileError(f"{name} takes the smaller number first")
    return all_of([prop.compared(">=", [low]), prop.compared("<=", [high])])


def _date(prop: Property, name: str, value: Any, now: datetime) -> Sql:
    moments = []
    for each in values_of(value):
        try:
            moments.append(moment(text_of(each), now))
        except ValueError as error:
            raise CompileError(f"{text_of(each)!r} is no date") from error
    if not moments:
        return FALSE
    time = prop.time()
    sign, bound = ("<", max(moments)) if name == "is_date_before" else (">", min(moments))
    return _known(Sql(f"{time.text} {sign} %s", (*time.values, bound)))


def _version(prop: Property, name: str, value: Any, now: datetime) -> Sql:
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
    """Compare a version with any of several, with the least or the greatest where that decides."""
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
    core = re.split(r"[-+]", text.removeprefix("v"), maxsplit=1)
    numbers = [int(number) for number in core[0].split(".")]
    is_release = not re.match(r"v?[0-9.]+-", text)
    return [*[*numbers, 0, 0][:3], int(is_release)]


def _version_range(name: str, text: str) -> tuple[list[int], list[int]]:
    """Return the first version of a range, and the first beyond it: a pre-release of that is beyond it, too."""
    if name == "semver_wildcard":
        text, stars = re.subn(r"(\.\*)+$", "", text)
        if not stars:
            raise CompileError(f"{text!r} is no version with a wildcard")
    low = _parsed_version(text)
    given = re.split(r"[-+]", text.removeprefix("v"), maxsplit=1)[0].count(".") + 1
    if name == "semver_wildcard":
        place = given - 1
    elif name == "semver_tilde":
        place = 0 if given == 1 else 1
    else:
        place = next((i for i, number in enumerate(low[:given]) if number), given - 1)
    return low, [*[*low[:place], low[place] + 1, 0, 0][:3], 0]


def _not(positive: "Compiler") -> "Compiler":
    return lambda prop, name, value, now: negate(positive(prop, name, value, now))


def _set_and_not(positive: "Compiler") -> "Compiler":
    return lambda prop, name, value, now: all_of(
        [_is_set(prop, name, value, now), negate(positive(prop, name, value, now))]
    )


Compiler = Callable[[Property, str, Any, datetime], Sql]
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
    "not_between": _set_and_not(_between),
    "is_date_before": _date,
    "is_date_after": _date,
    **dict.fromkeys((*_VERSION_SIGNS, "semver_tilde", "semver_caret", "semver_wildcard"), _version),
}
