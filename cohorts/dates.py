"""The dates that criteria name: so long ago, or on a day (contract/cohorts.md 3)."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

# No stubs of python-dateutil are installed.
from dateutil import parser  # type: ignore[import-untyped]

_RELATIVE = re.compile(r"-?([0-9]+)([a-z])")
_LONG_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HOURS: Final = {"h": 1, "d": 24, "w": 7 * 24, "m": 30 * 24, "y": 365 * 24}
_MOST_UNITS = 9999
_LONGEST = 100
# What a text leaves out, such as the year of "January 15", is the same on every day it is asked.
_DEFAULT = datetime(1970, 1, 1)  # noqa: DTZ001  # the zone is that of the text


def moment(text: str, now: datetime) -> datetime:
    """Return the time that `text` names, in UTC.

    Relative is `-7d`, `30d`, `-24h`: that many hours, days, weeks, months of 30 or years of 365 days before `now`
    (an aware time), whatever the sign. Anything else is read as a date, without a zone as UTC. Raises ValueError for
    what is neither, and for a time before the first year or after the last.
    """
    refusal = f"{text[:_LONGEST]!r} is no date"
    if len(text) > _LONGEST:
        raise ValueError(refusal)
    try:
        relative = _RELATIVE.fullmatch(text)
        if relative:
            return now.astimezone(UTC) - _ago(int(relative[1]), relative[2])
        found = _absolute(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    # The general parser lets more escape than it documents, also for texts of a few characters.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(refusal) from error


def _ago(number: int, unit: str) -> timedelta:
    if number > _MOST_UNITS or unit not in _HOURS:
        raise ValueError("too long ago, or of an unknown unit")
    return timedelta(hours=number * _HOURS[unit])


def _absolute(text: str) -> datetime:
    # Only from such a beginning is the standard library strict; of a row of digits it makes some date.
    if _LONG_ISO.match(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    found: datetime = parser.parse(text, default=_DEFAULT, tzinfos=_zone)
    return found


def _zone(name: str | None, offset: int | None) -> tzinfo | None:
    """Return the zone of an offset; names other than UTC are ambiguous, and must not mean the server's own zone."""
    if offset is not None:
        return timezone(timedelta(seconds=offset))
    if name is not None:
        raise ValueError(f"unknown time zone {name}")
    return None
