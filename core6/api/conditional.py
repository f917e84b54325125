"""Whether a write is meant for the object as it is: `If-Match` beside the `ETag` that a GET told (RFC 9110, 13.1.1)."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from django.db.models import Model
from django.utils.http import parse_etags
from rest_framework.generics import GenericAPIView

from core6.api.exceptions import PreconditionFailed
from core6.api.renderers import JSONRenderer

_CONDITIONAL: Final = ("PUT", "PATCH", "DELETE")


def tag_of(content: bytes) -> str:
    """Return the entity tag of an object's JSON."""
    return f'"{blake2b(content, digest_size=12).hexdigest()}"'


def lasting(body: Mapping[str, Any], volatile: Sequence[str]) -> Mapping[str, Any]:
    """Return what the tag of an object is of: all but the fields that differ each time."""
    return {**body, **dict.fromkeys(volatile)} if volatile else body


def check(view: GenericAPIView[Any], instance: Model) -> None:
    """Raise PreconditionFailed (412) when the caller means another state of the object, whose row is locked."""
    sent = str(view.request.META.get("HTTP_IF_MATCH", "")).strip()
    if not sent or sent == "*" or view.request.method not in _CONDITIONAL:
        return
    # As a GET tells it, whatever the action answers itself.
    serializer_class: Any = type(view).serializer_class
    body = serializer_class(instance, context=view.get_serializer_context()).data
    content = JSONRenderer().render(lasting(body, getattr(serializer_class.Meta, "volatile", ())))
    if tag_of(content) not in parse_etags(sent):
        raise PreconditionFailed
