"""The errors of invalid filters, with the messages that clients know."""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError

from cohorts.criteria.grammar import MISSING_KEYS
from cohorts.criteria.references import LEAF_TYPES
from core6.security.error_texts import shortened

_DEEPEST_GROUP = 64
# Deeper JSON could be shown neither in an error nor in a response.
_DEEPEST_VALUE = 200
_MOST_LEAVES = 5_000
_LONGEST_TEXT = 400
# The value that a property is compared with, and a key that a response may have added.
_ANY_LENGTH = ("value", "bytecode_error")
_MOST_ERRORS = 10
_LONGEST_INPUT = 200


class CriteriaError(ValueError):
    """The input does not describe a cohort; `attr` is the field, or None for the whole body."""

    def __init__(self, detail: str, attr: str | None, code: str = "invalid_input") -> None:
        super().__init__(detail)
        self.detail = detail
        self.attr = attr
        self.code = code


def check_depth(filters: dict[str, Any]) -> None:
    """Refuse groups nested more than 64 deep, and values more than 200 deep; raises CriteriaError."""
    if _is_deeper(filters["properties"], _DEEPEST_GROUP, _inner_groups):
        raise CriteriaError(f"Groups are nested more than {_DEEPEST_GROUP} deep.", "filters")
    if _is_deeper(filters, _DEEPEST_VALUE, _inner_containers):
        raise CriteriaError(f"Values are nested more than {_DEEPEST_VALUE} deep.", "filters")


def check_size(filters: dict[str, Any]) -> None:
    """Refuse more than 5,000 conditions, and texts of more than 400 characters in one (D70); raises CriteriaError."""
    count = 0
    level = [filters["properties"]]
    while level:
        leaves = [each for each in level if not (isinstance(each, dict) and "values" in each)]
        count += len(leaves)
        if count > _MOST_LEAVES:
            raise CriteriaError(f"There are more than {_MOST_LEAVES:,} conditions: send fewer.", "filters")
        for leaf in leaves:
            for name, value in leaf.items() if isinstance(leaf, dict) else ():
                if name not in _ANY_LENGTH and isinstance(value, str) and len(value) > _LONGEST_TEXT:
                    detail = f"{name[:50]} is longer than {_LONGEST_TEXT} characters: send a shorter one."
                    raise CriteriaError(detail, "filters")
        level = [each for value in level for each in _inner_nodes(value)]


def explain(error: ValidationError) -> str:
    """Return a sentence about the first missing key of a leaf, or else the list of all errors as text."""
    errors = error.errors()
    for each in errors:
        if each["type"] == MISSING_KEYS:
            return each["msg"]
        leaf = next((part for part in each["loc"] if part in LEAF_TYPES), None)
        if each["type"] == "missing" and leaf:
            return f"Missing required keys for {leaf} filter: {each['loc'][-1]}"
    shown = [{**each, "input": _shortened(each["input"])} for each in errors[:_MOST_ERRORS]]
    return shortened(str(shown))


def _is_deeper(root: Any, most: int, inner: Callable[[Any], Iterable[Any]]) -> bool:
    level = [root]
    for _ in range(most):
        level = [each for value in level for each in inner(value)]
        if not level:
            return False
    return True


def _inner_groups(value: Any) -> Iterable[Any]:
    values = value.get("values") if isinstance(value, dict) else None
    return [each for each in values if isinstance(each, dict) and "values" in each] if isinstance(values, list) else ()


def _inner_nodes(value: Any) -> Iterable[Any]:
    inner = (value.get("values"), value.get("event_filters")) if isinstance(value, dict) else ()
    return [each for values in inner if isinstance(values, list) for each in values]


def _inner_containers(value: Any) -> Iterable[Any]:
    values = value.values() if isinstance(value, dict) else value
    return [each for each in values if isinstance(each, dict | list)]


def _shortened(value: Any) -> Any:
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return f"<{type(value).__name__}>"
    return value if len(text) <= _LONGEST_INPUT else f"{text[:_LONGEST_INPUT]}…"
