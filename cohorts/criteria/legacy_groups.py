"""The older form of criteria, `groups`: its stored form and its meaning (D63)."""

from collections.abc import Mapping
from typing import Any, Final

from cohorts.criteria.errors import CriteriaError
from cohorts.criteria.grammar import BehavioralFilter, CohortFilter, EventFilter, PersonFilter
from core6.api.numbers import has_plain_digits

_KEYS: Final = (
    "properties",
    "action_id",
    "event_id",
    "label",
    "days",
    "count",
    "count_operator",
    "start_date",
    "end_date",
)
_NAMING: Final = ("properties", "action_id", "event_id")
_DEFAULT_DAYS = 365
#: The known keys of each type of leaf; front ends send others, too, which are dropped.
_LEAF_KEYS: Final[Mapping[Any, frozenset[str]]] = {
    "person": frozenset(PersonFilter.model_fields),
    "behavioral": frozenset(BehavioralFilter.model_fields),
    "cohort": frozenset(CohortFilter.model_fields),
}
_EVENT_FILTER_KEYS: Final = frozenset(EventFilter.model_fields)


def expand_groups(groups: Any) -> list[dict[str, Any]]:
    """Return groups as a POST stores them: each with all nine keys, absent ones null.

    Raises CriteriaError unless it is a list of objects, for an unknown key, for a group without properties, action
    and event, and for `days` that is not a number.
    """
    if not isinstance(groups, list):
        raise CriteriaError(f'Expected a list of items but got type "{type(groups).__name__}".', "groups")
    return [_expand(group) for group in groups]


def from_groups(groups: Any) -> dict[str, Any]:
    """Return `groups` as filters, `{"properties": {...}}`; `{"properties": {}}` if there are none.

    If one of them is invalid, the result is one empty group.
    """
    if not isinstance(groups, list) or not groups:
        return {"properties": {}}
    values = [_as_group(group) for group in groups]
    return {"properties": {"type": "AND", "values": []} if None in values else {"type": "OR", "values": values}}


def _expand(group: Any) -> dict[str, Any]:
    if not isinstance(group, dict):
        raise CriteriaError(f'Expected an object but got type "{type(group).__name__}".', "groups")
    unknown = next((key for key in group if key not in _KEYS), None)
    if unknown is not None:
        raise CriteriaError(f"Unknown key {str(unknown)[:100]!r}, expected some of: {', '.join(_KEYS)}.", "groups")
    if not any(group.get(key) for key in _NAMING):
        raise CriteriaError(f"A group needs one of: {', '.join(_NAMING)}.", "groups")
    if group.get("days") and _integer(group["days"]) is None:
        raise CriteriaError("The days of a group must be a whole number.", "groups")
    if _as_group(group) is None:
        raise CriteriaError("The properties of a group must be an object, or a list of conditions.", "groups")
    return {key: group.get(key) for key in _KEYS}


def _as_group(group: Any) -> dict[str, Any] | None:
    if not isinstance(group, dict):
        return None
    if properties := group.get("properties"):
        return _from_properties(properties)
    if group.get("action_id"):
        return _all_of([_behavior(group, group["action_id"], "actions")])
    if group.get("event_id"):
        return _all_of([_behavior(group, group["event_id"], "events")])
    return None


def _from_properties(properties: Any) -> dict[str, Any] | None:
    if isinstance(properties, list) and all(isinstance(leaf, dict) for leaf in properties):
        return _all_of([_as_node(leaf) for leaf in properties])
    if not isinstance(properties, dict):
        return None
    if "type" in properties and "values" in properties:
        node: dict[str, Any] = _as_node(properties)
        return node
    return _all_of([{"key": key, "value": value, "type": "person"} for key, value in properties.items()])


def _as_node(node: Any) -> Any:
    """Return a group or a leaf in the form of the filters' grammar; anything else is kept, and refused there."""
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("values"), list):
        return {**node, "values": [_as_node(each) for each in node["values"]]}
    kind = "person" if node.get("type") in (None, "event") else node["type"]
    known = _LEAF_KEYS.get(kind) if isinstance(kind, str) else None
    leaf = {key: value for key, value in node.items() if known is None or key in known}
    conditions = leaf.get("event_filters")
    if isinstance(conditions, list):
        leaf["event_filters"] = [_without(each, _EVENT_FILTER_KEYS) for each in conditions]
    return {**leaf, "type": kind}


def _without(condition: Any, known: frozenset[str]) -> Any:
    if not isinstance(condition, dict):
        return condition
    return {key: value for key, value in condition.items() if key in known}


def _behavior(group: dict[str, Any], key: Any, event_type: str) -> dict[str, Any]:
    count = _integer(group.get("count")) or 0
    leaf = {
        "type": "behavioral",
        "key": key,
        "value": "performed_event_multiple" if count > 0 else "performed_event",
        "event_type": event_type,
        "time_value": _integer(group.get("days")) or _DEFAULT_DAYS,
        "time_interval": "day",
        "operator": group.get("count_operator"),
        "operator_value": max(0, count),
    }
    return {name: value for name, value in leaf.items() if value is not None}


def _integer(value: Any) -> int | None:
    """Return a value as an integer, without its fraction; None if it is not a number."""
    if isinstance(value, str) and not has_plain_digits(value):
        return None
    try:
        return None if value is None or isinstance(value, bool) else int(value)
    except (OverflowError, TypeError, ValueError):
        return None


def _all_of(values: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "AND", "values": values}
