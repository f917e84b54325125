"""How much one client may send, and how much is kept (E14)."""

import shutil
import time
from typing import Final

from cachetools import TTLCache
from django.conf import settings
from django.db import connection

from core6.capture.refusals import Refused
from core6.rate_limits.models import count_call

#: In bytes: with less space left on the disk of the embedded database, events are refused.
LEAST_SPACE: Final = 500 * 1024**2
_REMEMBERED_SECONDS: Final = 60
#: Whether a project is full, by its id.
_full: TTLCache[int, bool] = TTLCache(10_000, _REMEMBERED_SECONDS, time.monotonic)
#: Whether there is space, looked up every few seconds.
_space: TTLCache[str, bool] = TTLCache(1, 5, time.monotonic)
_IS_FULL: Final = """
SELECT EXISTS (SELECT 1 FROM analytics_event WHERE project_id = %s OFFSET %s LIMIT 1)"""


def count_events(of: str, count: int) -> None:
    """Count events of a project or an address; raises Refused (429) for too many in this minute."""
    if not settings.EVENTS_PER_MINUTE:
        return
    (use,) = count_call(f"events {of}"[:50], {60: settings.EVENTS_PER_MINUTE}, calls=count)
    if use.is_exceeded:
        raise Refused("rate limited", status=429, code="throttled", retry_after=use.resets_in)


def check_space(project_id: int) -> None:
    """Raise Refused (503) for a project that has MOST_EVENTS, and if the disk is almost full."""
    if settings.MOST_EVENTS and _is_full(project_id):
        raise _unavailable(f"The project has {settings.MOST_EVENTS:,} events, as many as MOST_EVENTS allows.")
    if settings.IS_EMBEDDED and not _has_space():
        raise _unavailable("The disk of the server is almost full.")


def forget() -> None:
    """Forget what was looked up: it may have changed."""
    _full.clear()
    _space.clear()


def _unavailable(detail: str) -> Refused:
    return Refused(detail, status=503, code="service_unavailable", retry_after=_REMEMBERED_SECONDS)


def _is_full(project_id: int) -> bool:
    if project_id not in _full:
        with connection.cursor() as cursor:
            cursor.execute(_IS_FULL, [project_id, settings.MOST_EVENTS - 1])
            _full[project_id] = bool(cursor.fetchone()[0])
    return _full[project_id]


def _has_space() -> bool:
    if "" not in _space:
        _space[""] = shutil.disk_usage(settings.DATA_DIRECTORY).free >= LEAST_SPACE
    return _space[""]
