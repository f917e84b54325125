"""Parsing, checking and serializing the filters of a dynamic cohort."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from cohorts.criteria.errors import CriteriaError, check_depth, check_size, explain
from cohorts.criteria.grammar import (
    DATED,
    GROUPS,
    STORED,
    BehavioralFilter,
    CohortFilter,
    Criteria,
    EventFilter,
    Group,
    HogQLFilter,
    Leaf,
    Node,
    PersonFilter,
)
from cohorts.criteria.legacy_groups import expand_groups, from_groups
from cohorts.criteria.references import is_behavioral, references

__all__ = [
    "OPERATORS",
    "BehavioralFilter",
    "CohortFilter",
    "Criteria",
    "CriteriaError",
    "EventFilter",
    "Group",
    "HogQLFilter",
    "Leaf",
    "Node",
    "PersonFilter",
    "check_groups",
    "dump",
    "has_dates",
    "is_behavioral",
    "leaves",
    "load",
    "parse",
    "references",
]

#: The operators that a person leaf supports; others are accepted, and fail when the cohort is calculated.
OPERATORS: Final = frozenset(
    """
    exact is_not icontains not_icontains regex not_regex gt lt gte lte is_set is_not_set is_date_exact is_date_after
    is_date_before in not_in between not_between min max semver_eq semver_neq semver_gt semver_gte semver_lt
    semver_lte semver_tilde semver_caret semver_wildcard
    """.split()
)
_SPAN: Final = ("time_value", "time_interval")
_OTHER_SPAN: Final = ("seq_time_value", "seq_time_interval")
#: The kinds of behaviour and the fields that each requires; None means "a span or an explicit date".
_REQUIRED: Final[Mapping[str, tuple[str | None, ...]]] = {
    "performed_event": (None,),
    "performed_event_multiple": ("operator_value", None),
    "performed_event_first_time": (None,),
    "performed_event_sequence": (*_SPAN, "seq_event", "seq_event_type", *_OTHER_SPAN),
    "performed_event_regularly": (*_SPAN, "operator_value", "min_periods", "total_periods"),
    "stopped_performing_event": (*_SPAN, *_OTHER_SPAN),
    "restarted_performing_event": (*_SPAN, *_OTHER_SPAN),
}


def parse(filters: Any) -> Criteria:
    """Return the criteria that a client sent as `{"properties": {"type": "AND" | "OR", "values": [...]}}`.

    Raises CriteriaError with the messages that clients know for JSON that violates the grammar, and for a
    behavioral leaf without a field that its kind requires (D41). Well-formed nonsense is accepted (D20).
    """
    return _parse(filters, None)


def check_groups(groups: Any) -> None:
    """Check the older `groups` by the rules of `filters` (D63); raises CriteriaError."""
    expand_groups(groups)
    if groups:
        try:
            _parse(from_groups(groups), GROUPS)
        except CriteriaError as error:
            raise CriteriaError(error.detail, "groups") from error


def _parse(filters: Any, context: dict[str, bool] | None) -> Criteria:
    criteria = _read(filters, context)
    for leaf in leaves(criteria.properties):
        if isinstance(leaf, BehavioralFilter):
            _check_required(leaf)
    return criteria


def load(filters: Any) -> Criteria:
    """Return the criteria of stored filters, or of filters made from `groups`; raises CriteriaError.

    Missing required fields are accepted: the calculation reports them itself.
    """
    return _read(filters, STORED)


def dump(criteria: Criteria) -> dict[str, Any]:
    """Return the criteria as normalized JSON: without nulls, with `negation`, keys in the grammar's order."""
    return {"properties": _dump_node(criteria.properties)}


def leaves(group: Group) -> Iterator[Leaf]:
    """Yield every leaf at any depth, in the order of the JSON."""
    for node in group.values:
        if isinstance(node, Group):
            yield from leaves(node)
        else:
            yield node


def has_dates(criteria: Criteria) -> bool:
    """Return whether the criteria contain dates, which depend on the time zone of the project (D58)."""
    return any(_has_dates(leaf) for leaf in leaves(criteria.properties))


def _has_dates(leaf: Leaf) -> bool:
    if isinstance(leaf, BehavioralFilter):
        conditions = [each for each in leaf.event_filters or [] if isinstance(each, EventFilter)]
        is_explicit = bool(leaf.explicit_datetime or leaf.explicit_datetime_to)
        return is_explicit or any(each.operator in DATED for each in conditions)
    return isinstance(leaf, PersonFilter) and leaf.operator in DATED


def _read(filters: Any, context: dict[str, bool] | None) -> Criteria:
    if not isinstance(filters, dict) or "properties" not in filters:
        raise CriteriaError("Must contain a 'properties' key with type and values", "filters__detail")
    check_depth(filters)
    if context != STORED:
        check_size(filters)
    try:
        return Criteria.model_validate(filters, context=context)
    except ValidationError as error:
        raise CriteriaError(explain(error), "filters") from error


def _check_required(leaf: BehavioralFilter) -> None:
    required = _REQUIRED.get(leaf.value)
    if required is None:
        raise CriteriaError(f"PropertyGroup is unparsable: unknown behavioral filter {leaf.value[:100]!r}", "filters")
    kind = f"for property type behavioral::{leaf.value}"
    for name in required:
        if name is None:
            if leaf.explicit_datetime is None and any(getattr(leaf, each) is None for each in _SPAN):
                raise CriteriaError(
                    "PropertyGroup is unparsable: Missing required parameters, atleast one of values"
                    f" (time_value & time_interval), (explicit_datetime) {kind}",
                    "filters",
                )
        elif getattr(leaf, name) is None:
            raise CriteriaError(f"PropertyGroup is unparsable: Missing required attr {name} {kind}", "filters")


def _dump_node(node: Node | EventFilter | HogQLFilter) -> dict[str, Any]:
    if isinstance(node, Group):
        return {"type": node.type, "values": [_dump_node(each) for each in node.values]}
    dumped: dict[str, Any] = {}
    for name, field in type(node).model_fields.items():
        value = getattr(node, name)
        if name == "event_filters" and value is not None:
            value = [_dump_node(each) for each in value]
        # A null of a required field, such as the value of an event filter, is kept: without it load() would fail.
        if value is not None or field.is_required():
            dumped[name] = value
    return dumped
