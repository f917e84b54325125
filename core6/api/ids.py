"""Ids as the segments of a path name them (D11)."""

import re
import uuid
from typing import Final

#: What stands in a path for the organization or project that the caller last looked at.
CURRENT: Final = "@current"
_MOST_DIGITS: Final = 18
# The class of the standard library takes more: digits of every script, dashes anywhere.
_UUID: Final = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def number(text: str) -> int | None:
    """Return the integer id that a path segment holds (at most 18 digits), or None."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


def parse_uuid(text: str) -> uuid.UUID | None:
    """Return the UUID that a path segment holds, in any case, with or without dashes, or None."""
    return uuid.UUID(text) if _UUID.fullmatch(text) else None


def parse_id(text: str, *, is_uuid: bool) -> uuid.UUID | int | None:
    """Return the id of either kind that a path segment holds, or None."""
    return parse_uuid(text) if is_uuid else number(text)
