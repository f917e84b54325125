"""Ids in path segments (D11)."""

import re
import uuid
from typing import Final

#: The path segment for the organization or project that the caller viewed last.
CURRENT: Final = "@current"
_MOST_DIGITS: Final = 18
# uuid.UUID accepts more: digits of every script, dashes anywhere.
_UUID: Final = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def number(text: str) -> int | None:
    """Return the integer id in a path segment (at most 18 digits), or None."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


def parse_uuid(text: str) -> uuid.UUID | None:
    """Return the UUID in a path segment, in any case, with or without dashes, or None."""
    return uuid.UUID(text) if _UUID.fullmatch(text) else None


def parse_id(text: str, *, is_uuid: bool) -> uuid.UUID | int | None:
    """Return the UUID or the integer id in a path segment, or None."""
    return parse_uuid(text) if is_uuid else number(text)
