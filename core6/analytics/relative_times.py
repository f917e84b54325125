"""Times relative to now, such as `-3d`, and how long their units are: a month has 30 days, a year 365."""

import re
from datetime import datetime, timedelta
from typing import Final

_DAY = 86_400
#: The length of each unit in seconds.
SECONDS: Final = {"M": 60, "h": 3600, "d": _DAY, "w": 7 * _DAY, "m": 30 * _DAY, "q": 90 * _DAY, "y": 365 * _DAY}
MOST_UNITS: Final = 9999
_RELATIVE = re.compile(f"-?([0-9]+)([{''.join(SECONDS)}])")


def relative_time(text: str, now: datetime) -> datetime | None:
    """Return the time that a text such as `-3d` or `3d` means, which is that long before now; None for another text.

    Raises ValueError for more than 9999 units, and OverflowError for a time before the year 1.
    """
    found = _RELATIVE.fullmatch(text)
    if found is None:
        return None
    return now - timedelta(seconds=units(found[1]) * SECONDS[found[2]])


def units(digits: str) -> int:
    """Return a number of units; raises ValueError for more than 9999."""
    if int(digits) > MOST_UNITS:
        raise ValueError("too long ago")
    return int(digits)
