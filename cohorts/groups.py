"""The older form of criteria, `groups`: what is stored of it, and what it means (contract/cohorts.md 1.4)."""

from typing import Any, Final

from cohorts.refusals import CriteriaError

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
_NOTHING: Final = {"type": "AND", "values": []}


def expand_groups(groups: Any) -> list[dict[str, Any]]:
    """Return groups as a POST stores them: each with all nine keys, absent ones null.

    Raises CriteriaError for what is no list of objects, for an unknown key, and for a group that names nothing.
    """
    if not isinstance(groups, list):
        raise CriteriaError(f'Expected a list of items but got type "{type(groups).__name__}".', "groups")
    return [_expand(group) for group in groups]


def from_groups(groups: list[Any]) -> dict[str, Any]:
    """Return the filters `{"properties": {...}}` that `groups` mean; `{"properties": {}}` if there are none.

    The groups were stored unchecked if they came by PATCH: one that means nothing makes the whole an empty group.
    """
    if not isinstance(groups, list) or not groups:
        return {"properties": {}}
    values = [_as_group(group) for group in groups]
    if None in values:
        return {"properties": {**_NOTHING, "values": []}}
    return {"properties": {"type": "OR", "values": values}}


def _expand(group: Any) -> dict[str, Any]:
    if not isinstance(group, dict):
        raise CriteriaError(f'Expected an object but got type "{type(group).__name__}".', "groups")
    unknown = next((key for key in group if key not in _KEYS), None)
    if unknown is not None:
        raise CriteriaError(f"Unknown key {str(unknown)[:100]!r}, expected some of: {', '.join(_KEYS)}.", "groups")
    if not any(group.get(key) for key in _NAMING):
        raise CriteriaError(f"A group needs one of: {', '.join(_NAMING)}.", "groups")
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
        return _all_of([_as_person(leaf) for leaf in properties])
    if not isinstance(properties, dict):
        return None
    if "type" in properties and "values" in properties:
        return properties
    return _all_of([{"key": key, "value": value, "type": "person"} for key, value in properties.items()])


def _as_person(leaf: dict[str, Any]) -> dict[str, Any]:
    return {**leaf, "type": "person"} if leaf.get("type") in (None, "event") else leaf


def _behavior(group: dict[str, Any], key: Any, event_type: str) -> dict[str, Any]:
    count = _integer(group.get("count"), 0)
    leaf = {
        "type": "behavioral",
        "key": key,
        "value": "performed_event_multiple" if count > 0 else "performed_event",
        "event_type": event_type,
        "time_value": _integer(group.get("days"), 0) or _DEFAULT_DAYS,
        "time_interval": "day",
        "operator": group.get("count_operator"),
        "operator_value": max(0, count),
    }
    return {name: value for name, value in leaf.items() if value is not None}


def _integer(value: Any, default: int) -> int:
    try:
        return int(value or default)
    except (OverflowError, TypeError, ValueError):
        return default


def _all_of(values: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "AND", "values": values}
