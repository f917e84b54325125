"""The `cohort_type` of criteria: which one a client may send, and which one the server sets (contract 1.3)."""

from collections.abc import Callable
from typing import Any, Final

from cohorts.criteria.parse import (
    OPERATORS,
    BehavioralFilter,
    CohortFilter,
    Criteria,
    CriteriaError,
    Leaf,
    leaves,
    load,
)

#: In ascending order of the data that a calculation reads.
_ORDER: Final = ("static", "person_property", "behavioral", "analytical")
_ANALYTICAL: Final = frozenset(
    """
    performed_event_first_time performed_event_regularly performed_event_sequence stopped_performing_event
    restarted_performing_event
    """.split()
)
_REALTIME: Final = ("performed_event", "performed_event_multiple")


def required_type(*, is_static: bool, query: Any, filters: Any, type_of: Callable[[int], str]) -> str:
    """Return the type that fits a cohort: the highest that its query or any of its criteria requires.

    `type_of` returns the required type of a referenced cohort, and raises LookupError for an unknown one and for a
    loop. Raises CriteriaError if there is no such type. Filters without a leaf are of type `person_property`.
    """
    if is_static:
        return "static"
    if query:
        return "analytical"
    try:
        found = list(leaves(load(filters).properties))
        if any(isinstance(leaf, BehavioralFilter) and leaf.value in _ANALYTICAL for leaf in found):
            return "analytical"
        types = [_type_of_leaf(leaf, type_of) for leaf in found]
        return max(types, key=_ORDER.index, default="person_property")
    # An unknown type raises a ValueError in index(); a CriteriaError is one, too.
    except (LookupError, ValueError) as error:
        raise CriteriaError("Invalid cohort type for the given filters", "cohort_type") from error


def check_type(sent: str, *, required: str, automatic: str | None) -> None:
    """Refuse a type that is neither the required nor the automatic one (D39); raises CriteriaError."""
    if sent not in (required, automatic):
        raise CriteriaError(
            f"Cohort type '{sent}' does not match the filters. Expected type: '{required}'", "cohort_type"
        )


def automatic_type(criteria: Criteria, realtime: Callable[[int], bool]) -> str | None:
    """Return `realtime` if every leaf can be evaluated as events come in, else None.

    `realtime(id)` returns whether a cohort exists in the project and is realtime.
    """
    return "realtime" if all(_is_realtime(leaf, realtime) for leaf in leaves(criteria.properties)) else None


def _type_of_leaf(leaf: Leaf, type_of: Callable[[int], str]) -> str:
    if isinstance(leaf, CohortFilter):
        return type_of(leaf.value)
    return "behavioral" if isinstance(leaf, BehavioralFilter) else "person_property"


def _is_realtime(leaf: Leaf, realtime: Callable[[int], bool]) -> bool:
    if isinstance(leaf, CohortFilter):
        return realtime(leaf.value)
    if isinstance(leaf, BehavioralFilter):
        return leaf.value in _REALTIME and isinstance(leaf.key, str) and bool(leaf.key)
    return (leaf.operator or "exact") in OPERATORS
