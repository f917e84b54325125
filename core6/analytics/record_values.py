"""Finds the invalid part of a JSON value, for the error message about a value that cannot be stored."""

import math
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

_DEEPEST: Final = 250
_LARGEST: Final = 2**64 - 1
_SMALLEST: Final = -(2**63)


UNKNOWN_PROPERTY: Final = "unknown property"


class BadRecord(Exception):
    """A record cannot be stored, with the field and the reason; the loader adds its position, from 0.

    The loader raises the first one, which has those of other records in `more`.
    """

    def __init__(self, field: str, why: str, position: int = -1) -> None:
        super().__init__(f"{field}: {why}" if field else why)
        self.position = position
        self.field = field
        self.why = why
        self.more: Sequence[BadRecord] = ()


def flaw(value: Any, path: str = "", depth: int = 0) -> tuple[str, str] | None:
    """Return the path (such as `.a[0]`) and the reason of the first part that cannot be stored as JSON, or None."""
    if isinstance(value, dict | list) and depth < _DEEPEST:
        keys = value if isinstance(value, dict) else ()
        bad = [key for key in keys if not isinstance(key, str) or _flaw_of_one(key)]
        if bad:
            return path, f"has the key {bad[0]!r}, which is no text that can be stored"
        return next((found for name, part in _parts(value) if (found := flaw(part, path + name, depth + 1))), None)
    why = _flaw_of_one(value)
    return (path, why) if why else None


def _parts(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        return ((f"[{i}]", part) for i, part in enumerate(value))
    return ((f".{key}", part) for key, part in value.items())


def _flaw_of_one(value: Any) -> str | None:
    if isinstance(value, dict | list):
        return "is nested too deeply"
    if isinstance(value, str):
        if "\0" in value:
            return "holds a NUL character"
        if not _is_text(value):
            return "holds half a surrogate pair, which is no text"
    elif isinstance(value, float):
        if not math.isfinite(value):
            return "is no finite number"
    elif isinstance(value, int):
        if not _SMALLEST <= value <= _LARGEST:
            return "is an integer of more than 64 bits"
    elif not (value is None or isinstance(value, date)):
        return f"is of the type {type(value).__name__}, which JSON does not have"
    return None


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
