"""Values that a client sends back unchanged: they stay valid even if the rules have changed (D31)."""

import json
from collections.abc import Mapping
from typing import Any

from django.db.models import Model
from django.http import QueryDict
from rest_framework.serializers import Serializer


def is_same(one: Any, other: Any) -> bool:
    """Return whether two values are equal as JSON, where true differs from 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def is_same_row(stored: Model | None, sent: object) -> bool:
    """Return whether the sent id, a number or text, is the id of the stored row."""
    return stored is not None and not isinstance(sent, bool) and str(stored.pk) == str(sent)


def without_echoes(serializer: Serializer[Any], data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a body (a dict or a form) without fields whose values equal those of the serializer's instance."""
    echoed = {name for name in data if _is_echoed(serializer, name, data)}
    if not isinstance(data, QueryDict):
        return {name: value for name, value in data.items() if name not in echoed}
    rest = QueryDict(mutable=True)  # the files of a form cannot be copied
    for name, values in data.lists():
        if name not in echoed:
            rest.setlist(name, values)
    return rest


def _is_echoed(serializer: Serializer[Any], name: str, data: Mapping[str, Any]) -> bool:
    field = serializer.fields.get(name)
    if field is None or field.read_only:
        return False
    value = field.get_value(data)
    if getattr(value, "is_json_string", False):  # set by REST framework on the text of a JSON field in a form
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return False
    stored = field.get_attribute(serializer.instance)
    return is_same(None if stored is None else field.to_representation(stored), value)
