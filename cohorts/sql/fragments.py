"""Pieces of SQL with their bound values: text from a client is only ever a value."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sql:
    """A piece of a statement, with `%s` for each of its values."""

    text: str
    values: tuple[Any, ...] = ()


TRUE, FALSE = Sql("true"), Sql("false")


def all_of(parts: Iterable[Sql]) -> Sql:
    """Return the condition that holds where each of them does; of none, everywhere."""
    return _joined(list(parts), " AND ", TRUE)


def any_of(parts: Iterable[Sql]) -> Sql:
    """Return the condition that holds where one of them does; of none, nowhere."""
    return _joined(list(parts), " OR ", FALSE)


def negate(part: Sql) -> Sql:
    """Return the condition that holds where the other, which is never null, does not."""
    return Sql(f"NOT ({part.text})", part.values)


def _joined(parts: list[Sql], word: str, none: Sql) -> Sql:
    if len(parts) < 2:
        return parts[0] if parts else none
    text = word.join(f"({part.text})" for part in parts)
    return Sql(text, tuple(value for part in parts for value in part.values))
