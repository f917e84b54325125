"""Times as people say them, such as "2 days ago", with the exact time beside them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from unfold.decorators import display

from core6.database import timestamps

_UNITS: Final = ((365 * 86400, "year"), (30 * 86400, "month"), (86400, "day"), (3600, "hour"), (60, "minute"))


def distance(moment: datetime) -> str:
    """Return how long ago a moment was, or in how long it will be, in its largest unit."""
    seconds = (timestamps.now() - moment).total_seconds()
    for size, unit in _UNITS:
        if count := int(abs(seconds) // size):
            text = f"{count} {unit}{'' if count == 1 else 's'}"
            return f"{text} ago" if seconds > 0 else f"in {text}"
    return "just now" if seconds > -1 else "in less than a minute"


def ago(moment: datetime | None, missing: str = "never") -> str:
    """Return the distance of a moment as HTML that shows the exact time on hover; `missing` without a moment."""
    if moment is None:
        return missing
    exact = date_format(timezone.localtime(moment), "DATETIME_FORMAT")
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, distance(moment))


def when(field: str, label: str, missing: str = "never") -> Callable[[Any, Any], str]:
    """Declare a column that shows a time field of a row by its distance."""

    @display(description=label, ordering=field)
    def column(_: Any, row: Any) -> str:
        return ago(getattr(row, field), missing)

    return column
