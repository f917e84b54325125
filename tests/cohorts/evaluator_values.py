"""What a JSON value is as text, as a number, as a time, as a version: contract/cohorts.md 3 and D42."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeAlias


class Refused(Exception):
    """The criteria mean nothing."""


class _Absent:
    pass


#: A property that is missing or null.
ABSENT = _Absent()

Version: TypeAlias = tuple[int, int, int, int]

NUMBER = re.compile(r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)
TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]+)?)?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
VERSION = re.compile(r"v?([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?([-+].*)?", re.DOTALL)
UNITS = {"h": 1, "d": 24, "w": 7 * 24, "m": 30 * 24, "y": 365 * 24}


def text_form(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal | float):
        number = Decimal(str(value))
        return f"{number or abs(number):f}"
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{_quoted(key)}: {_inner(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inner(each) for each in value) + "]"
    return json.dumps(value)


def _inner(value: Any) -> str:
    return _quoted(value) if isinstance(value, str) else text_form(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def same_json(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def number_of(value: Any) -> Decimal | None:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return Decimal(str(value))
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return Decimal(value.strip())
    return None


def below(one: Any, other: Any) -> bool:
    first, second = number_of(one), number_of(other)
    if first is not None and second is not None:
        return first < second
    return text_form(one) < text_form(other)


def time_named(text: str, now: datetime) -> datetime:
    """Return the time that a criterion names: so long ago, or at a date."""
    relative = re.fullmatch(r"-?([0-9]+)([a-z])", text)
    if relative:
        if int(relative[1]) >= 10000 or relative[2] not in UNITS:
            raise Refused("no date")
        return before(now, timedelta(hours=int(relative[1]) * UNITS[relative[2]]))
    found = time_of(text)
    if found is None:
        raise Refused("no date")
    return found


def before(at: datetime, length: timedelta) -> datetime:
    try:
        return at - length
    except OverflowError as error:
        raise Refused("before the first year") from error


def time_of(value: Any) -> datetime | None:
    """Return the time that a text is as an ISO date, without an offset in UTC."""
    match = TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(each or 0) for each in match.groups()[:6])
    zone = match[8] or "Z"
    offset = timedelta()
    if zone != "Z":
        digits = zone[1:].replace(":", "").ljust(4, "0")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:])) * (-1 if zone[0] == "-" else 1)
        if int(digits[:2]) > 14 or int(digits[2:]) > 59:
            return None
    try:
        found = datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset) if offset else UTC)
    except ValueError:
        return None
    return found + timedelta(microseconds=round(Decimal(match[7] or 0) * 10**6))


def version_of(value: Any) -> list[Version]:
    """Return the value as one version that sorts before what is newer, a pre-release before its release; or none."""
    match = None if value is ABSENT else VERSION.fullmatch(text_form(value))
    if match is None:
        return []
    major, minor, patch = (int(each or 0) for each in match.groups()[:3])
    return [(major, minor, patch, 0 if (match[4] or "").startswith("-") else 1)]


def version_range(kind: str, text: str) -> tuple[Version, Version]:
    """Return the first version of a range and the first after it."""
    if kind == "wildcard":
        core = re.sub(r"(\.\*)+$", "", text)
        if core == text:
            raise Refused("no wildcard")
        text = core
    found = version_of(text)
    if not found:
        raise Refused("no version")
    low = found[0]
    given = len(re.split(r"[-+]", text)[0].split("."))
    if kind == "wildcard":
        place = given - 1
    elif kind == "tilde":
        place = min(given, 2) - 1
    else:
        place = next((each for each in range(given) if low[each]), given - 1)
    high = [*low[:place], low[place] + 1, 0, 0]
    return low, (high[0], high[1], high[2], 0)
