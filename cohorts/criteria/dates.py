"""The dates in criteria and stored properties (D57 to D59)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

# No stubs of python-dateutil are installed.
from dateutil import parser  # type: ignore[import-untyped]

from core6.analytics.relative_times import relative_time, units

_START = re.compile(r"(?:-?([0-9]+))?([dwmy])Start")
_LONG_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST = 100
# Fills what a text leaves out, such as the day of "January 2024", so that its meaning does not depend on today.
_DEFAULT = datetime(1970, 1, 1)  # noqa: DTZ001  # the text gives the zone


@dataclass(frozen=True)
class Clock:
    """The current time (aware), and the time zone and first weekday (0 is Sunday) of a project."""

    now: datetime
    zone: str = "UTC"
    week_start_day: int = 0


def moment(text: str, clock: Clock) -> datetime:
    """Return the time that `text` means, in UTC.

    `-7d`, `30d`, `-24h` are that long before now, whatever the sign: minutes `M`, hours, days, weeks, months of 30
    days, quarters of 90, years of 365. `dStart`, `-1wStart`, `mStart`, `yStart` are starts of days, weeks, months and
    years in the project's zone. Anything else is an absolute date with its year, by default in the project's zone.
    Raises ValueError for all other texts, and for times outside the years 1 to 9999.
    """
    refusal = f"{text[:_LONGEST]!r} is no date"
    if len(text) > _LONGEST:
        raise ValueError(refusal)
    try:
        if relative := relative_time(text, clock.now):
            found = relative
        elif start := _START.fullmatch(text):
            found = _in_zone(_start(units(start[1] or "0"), start[2], clock), clock.zone)
        else:
            found = _absolute(text)
            found = found if found.tzinfo else _in_zone(found, clock.zone)
        return found.astimezone(UTC)
    # dateutil raises more exceptions than it documents, even for short texts.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(refusal) from error


def _start(ago: int, unit: str, clock: Clock) -> datetime:
    """Return the naive midnight at which the current unit began, or the unit that was `ago` units earlier."""
    local = clock.now.astimezone(ZoneInfo(clock.zone))
    today = datetime(local.year, local.month, local.day)  # noqa: DTZ001  # the zone is added later
    if unit == "d":
        return today - timedelta(days=ago)
    if unit == "w":
        return today - timedelta(days=(today.isoweekday() - clock.week_start_day) % 7, weeks=ago)
    if unit == "y":
        return today.replace(year=today.year - ago, month=1, day=1)
    year, month = divmod(today.year * 12 + today.month - 1 - ago, 12)
    return today.replace(year=year, month=month + 1, day=1)


def _in_zone(naive: datetime, zone: str) -> datetime:
    """Return a naive time in a zone, with the meaning that Postgres gives it.

    A time that occurs twice in autumn is the later one; one that is skipped in spring has the offset before the gap.
    """
    first, second = (naive.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    offsets = (first.utcoffset() or timedelta(), second.utcoffset() or timedelta())
    return second if offsets[0] > offsets[1] else first


def _absolute(text: str) -> datetime:
    # Only for such texts is the standard library strict: it also accepts plain digits as some date.
    if _LONG_ISO.match(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    found: datetime = parser.parse(text, default=_DEFAULT, tzinfos=_zone)
    if f"{found.year:04}" not in text:
        raise ValueError("it names no year")
    return found


def _zone(name: str | None, offset: int | None) -> tzinfo | None:
    """Return the zone of an offset; other names than UTC are ambiguous, and must not mean the zone of the server."""
    if offset is not None:
        return timezone(timedelta(seconds=offset))
    if name is not None:
        raise ValueError(f"unknown time zone {name}")
    return None
