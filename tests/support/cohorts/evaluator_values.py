"""What a JSON value is as text, as a number, as a time, as a version: D42, D58, D59, D61."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from cohorts.criteria.dates import Clock


class Refused(Exception):
    """The criteria mean nothing."""


class _Absent:
    pass


#: A property that is missing or null.
ABSENT = _Absent()

Version: TypeAlias = tuple[int, int, int]

NUMBER = re.compile(r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)
TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]+)?)?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
VERSION = re.compile(r"v?([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?([-+].*)?", re.DOTALL)
MINUTES = {"M": 1, "h": 60, "d": 1440, "w": 7 * 1440, "m": 30 * 1440, "q": 90 * 1440, "y": 365 * 1440}


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


def equal(one: Any, other: Any) -> bool:
    """Compare as text, and a number of JSON by its value: 5.0 is 5, and "5"."""
    if isinstance(one, dict | list) or isinstance(other, dict | list):
        return same_json(one, other) if isinstance(other, dict | list) else text_form(one) == other
    return bool(spellings(one) & spellings(other))


def spellings(value: Any) -> set[str]:
    text = text_form(value)
    if isinstance(value, str | bool) or "." not in text:
        return {text}
    return {text, text.rstrip("0").rstrip(".")}


def meets(sign: str, have: Any, bound: Any) -> bool:
    """Compare a number with numbers only, and a text with the text of any value."""
    number = number_of(bound)
    first: Any = number_of(have) if number is not None else text_form(have)
    second: Any = number if number is not None else text_form(bound)
    if first is None:
        return False
    return {">": first > second, ">=": first >= second, "<": first < second, "<=": first <= second}[sign]


def time_named(text: str, clock: Clock) -> datetime:
    """Return the time that a criterion names: so long ago, the start of a unit of the calendar, or a date."""
    if relative := re.fullmatch(r"-?([0-9]+)([A-Za-z])", text):
        if int(relative[1]) >= 10000 or relative[2] not in MINUTES:
            raise Refused("no date")
        return before(clock.now, timedelta(minutes=int(relative[1]) * MINUTES[relative[2]]))
    if start := re.fullmatch(r"(?:-?([0-9]+))?([dwmy])Start", text):
        return start_of(start[2], int(start[1] or 0), clock)
    try:
        found = time_of(text, clock)
    except OverflowError as error:
        raise Refused("before the first year") from error
    if found is None or not re.match("[0-9]{4}-", text):
        raise Refused("no date")
    return found


def start_of(unit: str, ago: int, clock: Clock) -> datetime:
    if ago >= 10000:
        raise Refused("no date")
    day = clock.now.astimezone(ZoneInfo(clock.zone)).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    first_weekday = [6, 0, 1, 2, 3, 4, 5][clock.week_start_day]
    is_start = {
        "d": lambda: True,
        "w": lambda: day.weekday() == first_weekday,
        "m": lambda: day.day == 1,
        "y": lambda: (day.month, day.day) == (1, 1),
    }[unit]
    try:
        while not (is_start() and ago == 0):
            ago -= is_start()
            day -= timedelta(days=1)
    except OverflowError as error:
        raise Refused("before the first year") from error
    return in_zone(day, clock.zone)


def in_zone(naive: datetime, zone: str) -> datetime:
    """Return a naive time in a zone: the later of two, and in a gap what it is by the offset before."""
    day = timedelta(days=1)
    places = [max(naive, datetime.min + day) - day, min(naive, datetime.max - day) + day]  # noqa: DTZ901
    offsets = [each.replace(tzinfo=ZoneInfo(zone)).utcoffset() or timedelta() for each in places]
    found = [(naive - offset).replace(tzinfo=UTC) for offset in offsets]
    real = [each for each in found if each.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == naive]
    return max(real) if real else found[0]


def before(at: datetime, length: timedelta) -> datetime:
    try:
        return at - length
    except OverflowError as error:
        raise Refused("before the first year") from error


def time_of(value: Any, clock: Clock) -> datetime | None:
    """Return the time that an ISO date is, without an offset in the project's zone, or a unix time."""
    if value is not ABSENT and re.fullmatch("[0-9]{9,13}", text_form(value)):
        unix = int(text_form(value))
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=unix if unix >= 10**11 else unix * 1000)
    match = TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(each or 0) for each in match.groups()[:6])
    zone = match[8]
    offset = timedelta()
    if zone not in (None, "Z"):
        digits = zone[1:].replace(":", "").ljust(4, "0")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:])) * (-1 if zone[0] == "-" else 1)
        if int(digits[:2]) > 14 or int(digits[2:]) > 59:
            return None
    try:
        found = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  # its zone is added below
    except ValueError:
        return None
    found += timedelta(microseconds=round(Decimal(match[7] or 0) * 10**6))
    return in_zone(found, clock.zone) if zone is None else found.replace(tzinfo=timezone(offset) if offset else UTC)


def version_of(value: Any) -> list[Version]:
    """Return the value as one version without what follows its numbers, or None."""
    match = None if value is ABSENT else VERSION.fullmatch(text_form(value))
    if match is None:
        return []
    major, minor, patch = (int(each or 0) for each in match.groups()[:3])
    return [(major, minor, patch)]


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
    return low, (high[0], high[1], high[2])
