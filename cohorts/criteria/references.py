"""The cohorts that stored filters refer to, read tolerantly: static cohorts' filters are unchecked."""

from collections.abc import Iterable, Iterator
from typing import Any

from core6.api.numbers import has_plain_digits

LEAF_TYPES = ("person", "behavioral", "cohort")


def references(filters: Any) -> set[int]:
    """Return the ids in the cohort leaves of JSON of any shape, also those stored as text or in a list."""
    return ids_in(_cohort_values(filters))


def ids_in(values: Iterable[Any]) -> set[int]:
    """Return the valid ids among the values of cohort leaves."""
    found = (_id(value) for value in values)
    return {each for each in found if each is not None}


def is_behavioral(filters: Any) -> bool:
    """Return whether JSON of any shape contains a behavioral leaf at any depth."""
    return any(leaf["type"] == "behavioral" for leaf in _stored_leaves(filters))


def _cohort_values(filters: Any) -> Iterator[Any]:
    for leaf in _stored_leaves(filters):
        if leaf["type"] == "cohort":
            value = leaf.get("value")
            yield from value if isinstance(value, list) else [value]


def _stored_leaves(filters: Any) -> Iterator[dict[str, Any]]:
    waiting = [filters]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            # The value of a leaf is data, even if it looks like a leaf.
            if node.get("type") in LEAF_TYPES:
                yield node
            else:
                waiting.extend(node.values())


def _id(value: Any) -> int | None:
    if isinstance(value, str):
        try:
            return int(value) if has_plain_digits(value) else None
        except ValueError:
            return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
