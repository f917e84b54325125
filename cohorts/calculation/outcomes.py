"""What the row of a cohort records when a calculation of it ends."""

from datetime import datetime
from typing import Any

from django.db.models import F


def success(count: int, now: datetime) -> dict[str, Any]:
    """Return the columns of a cohort that was computed, which has `count` members."""
    return {"count": count, "last_calculation": now, "errors_calculating": 0, "last_error_at": None}


def failure(now: datetime) -> dict[str, Any]:
    """Return the columns of a cohort whose calculation failed, once more."""
    return {"errors_calculating": F("errors_calculating") + 1, "last_error_at": now}
