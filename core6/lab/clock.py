"""The time of rows and criteria in the lab: that of the machine, and a shift that a test sets."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.utils.dateparse import parse_datetime

from core6.analytics.relative_times import SECONDS, units
from core6.database import data_directory
from core6.lab.refusals import Refused

#: Times of criteria and rows stay far from the limits of dates, the years 1 and 9999.
_YEARS: Final = range(1900, 3000)
_SHIFT: Final = re.compile(f"([+-]?)([0-9]+)([{''.join(SECONDS)}])")


def now() -> datetime:
    """Return the time of the lab. It is read each time: another process may have moved it."""
    return datetime.now(UTC) + _current()


def state() -> dict[str, Any]:
    """Return the time and the shift in seconds, as the lab answers them."""
    return {"now": now().isoformat(), "shift_seconds": _current().total_seconds()}


def move(given: dict[str, Any]) -> dict[str, Any]:
    """Move the clock to `now`, or by `shift` from the machine's time, or back to that time; return the state."""
    shift, name = _shift(given), next(iter(given), None)
    try:
        year = (datetime.now(UTC) + shift).year
    except OverflowError:
        year = 0
    if year not in _YEARS:
        raise Refused(f"Send a time in the years {_YEARS[0]} to {_YEARS[-1]}.", name)
    data_directory.write_private(_file(), f"{shift.total_seconds()}\n")
    return state()


def reset() -> None:
    """Set it back to the machine's time; writes the file only if it was moved, since that waits for the disk."""
    if _current():
        move({})


def _current() -> timedelta:
    try:
        return timedelta(seconds=float(_file().read_text()))
    except FileNotFoundError:  # before the first start
        return timedelta()


def _file() -> Path:
    """Return the file that makes a data directory that of a lab: it holds how many seconds the clock is ahead."""
    return settings.DATA_DIRECTORY / data_directory.LAB


def _shift(given: dict[str, Any]) -> timedelta:
    if given.keys() - {"now", "shift"} or len(given) > 1:
        raise Refused('Send {"now": "2026-01-01T00:00:00Z"}, {"shift": "-3d"} or {}.')
    if "now" in given:
        return _moment(given["now"]) - datetime.now(UTC)
    if "shift" in given:
        return _duration(given["shift"])
    return timedelta()


def _moment(text: Any) -> datetime:
    try:
        # YAML has times of its own.
        found = text if isinstance(text, datetime) else parse_datetime(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None:
        raise Refused("Send a time such as 2026-01-01T00:00:00Z.", "now")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _duration(text: Any) -> timedelta:
    found = _SHIFT.fullmatch(text) if isinstance(text, str) else None
    wrong = Refused(f"Send a number and one of the units {', '.join(SECONDS)}, such as -3d or 8d.", "shift")
    if found is None:
        raise wrong
    try:
        return timedelta(seconds=units(found[2]) * SECONDS[found[3]]) * (-1 if found[1] == "-" else 1)
    except ValueError:
        raise wrong from None
