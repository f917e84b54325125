"""SQL fragments with their bound values: text from a client is always a bound value."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sql:
    """A fragment of a statement, with `%s` for each of its values."""

    text: str
    values: tuple[Any, ...] = ()


TRUE, FALSE = Sql("true"), Sql("false")


def all_of(parts: Iterable[Sql]) -> Sql:
    """Return the conjunction of the conditions; TRUE if there are none."""
    return _joined(list(parts), " AND ", TRUE)


def any_of(parts: Iterable[Sql]) -> Sql:
    """Return the disjunction of the conditions; FALSE if there are none."""
    return _joined(list(parts), " OR ", FALSE)


def negate(part: Sql) -> Sql:
    """Return the negation of a condition that is never null."""
    return Sql(f"NOT ({part.text})", part.values)


def _joined(parts: list[Sql], word: str, none: Sql) -> Sql:
    if len(parts) < 2:
        return parts[0] if parts else none
    text = word.join(f"({part.text})" for part in parts)
    return Sql(text, tuple(value for part in parts for value in part.values))
