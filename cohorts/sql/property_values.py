"""The value of a property of a person or an event, as SQL: as text, as a number, as a date."""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from cohorts.sql.fragments import Sql, any_of

# Numbers as text, with a bounded exponent, since a larger one would overflow. Valid in both Python and Postgres.
_NUMBER: Final = r"^[ \t\n\r\f\v]*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?[ \t\n\r\f\v]*$"
_LONGEST_NUMBER: Final = 1000
#: Text that is the JSON form of a number.
_SHOWN_NUMBER: Final = re.compile(r"0|-?(0\.[0-9]*[1-9]|[1-9][0-9]*(\.[0-9]*[1-9])?)")
_DATE: Final = (
    r"^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,20})?)?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?)?$"
)
SEMVER: Final = r"^v?[0-9]{1,9}(\.[0-9]{1,9}){0,2}([-+].*)?$"
_UNIX_TIME: Final = r"^[0-9]{9,13}$"
#: The most digits of a Unix time in seconds; longer ones are in milliseconds.
_LONGEST_SECONDS: Final = 11


class CompileError(Exception):
    """The criteria are well-formed, but invalid; `code` is the kind of error."""

    code = "validation_error"


class InvalidExpression(CompileError):
    """A regular expression cannot be used, or there are too many of them (D54)."""

    code = "invalid_regex"


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
        numbers = [Decimal(text.strip()) for value, text in zip(values, texts, strict=True) if is_number(value, text)]
        words = [text for value, text in zip(values, texts, strict=True) if not is_number(value, text)]
        parts = []
        if numbers:
            parts.append(Sql(f"{self.number.text} {sign} %s::numeric", (*self.number.values, extreme(numbers))))
        if words:
            word = extreme(words, key=str.encode)
            parts.append(Sql(f'{self.text.text} COLLATE "C" {sign} %s', (*self.text.values, word)))
        return any_of(known(part) for part in parts)

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
            SEMVER,
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


def is_number(value: Any, text: str) -> bool:
    """Return whether a value is a number or the text of one."""
    return not isinstance(value, bool) and len(text) < _LONGEST_NUMBER and re.match(_NUMBER, text) is not None


def values_of(value: Any) -> list[Any]:
    """Return the values of a list, or a single value as a list; without nulls."""
    return [each for each in (value if isinstance(value, list) else [value]) if each is not None]


def known(part: Sql) -> Sql:
    """Return a condition that is false where the given one is null."""
    return Sql(f"COALESCE({part.text}, false)", part.values)


def is_json_number(value: Any, text: str) -> bool:
    """Return whether a value is a number or the JSON form of one."""
    if isinstance(value, str):
        return len(text) < _LONGEST_NUMBER and _SHOWN_NUMBER.fullmatch(text) is not None
    return not isinstance(value, bool)
