"""The time of an event, by what the client and the server know."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

_AHEAD: Final = timedelta(hours=23)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Larger numbers are milliseconds.
_MOST_SECONDS: Final = 10**11
_DATE: Final = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(.*)", re.DOTALL)
_SHORT_ZONE: Final = re.compile(r"([+-]\d\d)$")


def parse(value: Any) -> datetime | None:
    """Return the time that a client wrote, in UTC; None for what is no time."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _of_number(value)
    if not isinstance(value, str) or not (text := value.strip()):
        return None
    found = _of_iso(text) or _of_mail(text)
    if found is None and re.fullmatch(r"-?\d{1,16}(?:\.\d{1,9})?", text):
        return _of_number(float(text))
    return found


def event_time(
    given: Any, *, now: datetime, sent_at: datetime | None, offset: Any = None, ignores_sent_at: bool = False
) -> datetime:
    """Return when an event happened: by its offset, or by its time without the difference of the client's clock."""
    if isinstance(offset, int | float) and not isinstance(offset, bool):
        found = _shifted(now, -offset)
    else:
        found = parse(given) or now
        if parse(given) is not None and sent_at is not None and not ignores_sent_at:
            found = _added(found, now - sent_at)
    return now if found > now + _AHEAD else found


def _of_number(value: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(value / 1000 if abs(value) > _MOST_SECONDS else value, UTC)
    except (ValueError, OverflowError, OSError):
        return _EPOCH


def _of_iso(text: str) -> datetime | None:
    parts = _DATE.fullmatch(text)
    if parts is None:
        return None
    year, month, day, rest = parts.groups()
    time = _SHORT_ZONE.sub(r"\1:00", rest.upper().replace(" ", "").removeprefix("T"))
    try:
        found = datetime.fromisoformat(f"{year}-{month:0>2}-{day:0>2}T{time or '00:00'}")
    except ValueError:
        return None
    return _in_utc(found)


def _of_mail(text: str) -> datetime | None:
    try:
        return _in_utc(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _in_utc(found: datetime) -> datetime:
    if found.tzinfo is None:
        return found.replace(tzinfo=UTC)
    try:
        return found.astimezone(UTC)
    except OverflowError:
        return _EPOCH


def _shifted(moment: datetime, milliseconds: float) -> datetime:
    try:
        return _added(moment, timedelta(milliseconds=milliseconds))
    except (OverflowError, ValueError):
        return _EPOCH


def _added(moment: datetime, difference: timedelta) -> datetime:
    try:
        return moment + difference
    except OverflowError:
        return _EPOCH
