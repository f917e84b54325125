"""Conditional requests: `ETag` in responses, `If-None-Match` for reads, `If-Match` for writes (RFC 9110, D67)."""

import json
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import orjson
from django.db.models import Model
from django.http import HttpRequest, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core6.api.exceptions import PreconditionFailed
from core6.api.renderers import JSONRenderer

# JSON that may contain a float without a fraction.
_INTEGRAL_FLOAT: Final = re.compile(rb"\d\.0|\d[eE]")
_CHANGING: Final = ("PUT", "PATCH", "DELETE")


def digest(content: bytes) -> str:
    """Return the digest of a content for its tag."""
    return blake2b(content, digest_size=12).hexdigest()


def tag_of(body: Mapping[str, Any], meta: Any) -> str:
    """Return the strong tag of an object's JSON; `meta` is the Meta of its serializer.

    If the server computes fields (`Meta.computed`), the tag has two parts: the first ignores them, and is the only one
    that `If-Match` compares, so that the end of a calculation makes no write fail. Neither part includes fields that
    differ in each response (`Meta.volatile`), or that only the response to a write has (`Meta.only_in_answers`).
    """
    without_volatile_fields = {
        **body,
        **dict.fromkeys(getattr(meta, "volatile", ())),
        **getattr(meta, "only_in_answers", {}),
    }
    computed = getattr(meta, "computed", ())
    if not computed:
        return f'"{_digest_of(without_volatile_fields)}"'
    return (
        f'"{_digest_of({**without_volatile_fields, **dict.fromkeys(computed)})}-{_digest_of(without_volatile_fields)}"'
    )


def _digest_of(body: Mapping[str, Any]) -> str:
    """Return a digest that storing JSON does not change: the database sorts keys, and makes 1000 of 1e3."""
    content = _canonical_json(body)
    return digest(_canonical_json(_with_integers(body)) if _INTEGRAL_FLOAT.search(content) else content)


def _canonical_json(body: Any) -> bytes:
    try:
        return orjson.dumps(body, default=str, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # numbers beyond 64 bits, which only the standard library writes
        return json.dumps(body, default=str, sort_keys=True).encode()


def _with_integers(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {name: _with_integers(each) for name, each in value.items()}
    return [_with_integers(each) for each in value] if isinstance(value, list) else value


def check(view: GenericAPIView[Any], instance: Model) -> None:
    """Raise PreconditionFailed (412) if `If-Match` is of another state of the object, whose row is locked."""
    sent = str(view.request.META.get("HTTP_IF_MATCH", "")).strip()
    if not sent or sent == "*" or view.request.method not in _CHANGING:
        return
    # As in the response to a GET, whatever the action itself returns.
    serializer_class: Any = type(view).serializer_class
    body = serializer_class(instance, context=view.get_serializer_context()).data
    if _stable_part(tag_of(body, serializer_class.Meta)) not in map(_stable_part, parse_etags(sent)):
        raise PreconditionFailed


def _stable_part(tag: str) -> str:
    """Return the part of a tag that calculations do not change."""
    return tag.partition("-")[0].rstrip('"')


def is_known(tag: str, request: HttpRequest | Request) -> bool:
    """Return whether the client already has the response with this tag."""
    sent = request.META.get("HTTP_IF_NONE_MATCH", "").strip()
    if not sent:
        return False  # the usual case, without parsing
    return sent == "*" or tag.removeprefix("W/") in [each.removeprefix("W/") for each in parse_etags(sent)]


def with_tag(response: Response, view: GenericAPIView[Any], *, is_object: bool) -> HttpResponseBase:
    """Return a successful response with its tag, or 304 if it is of a read and the client already has it.

    The response to a read has the strong tag of its object, or the weak tag of its list. The response to a write that
    returns the object (`is_object`) has the tag that a read would have now.
    """
    request, data = view.request, response.data
    is_read = request.method in ("GET", "HEAD") and response.status_code == 200
    if not (is_read or is_object) or response.status_code >= 300 or data is None:
        return response
    response.headers["ETag"] = tag = tag_of_response(view, data)
    return not_modified(response) if is_read and is_known(tag, request) else response


def tag_of_response(view: GenericAPIView[Any], data: Any, content: bytes | None = None) -> str:
    """Return the tag of a response: of the object in it, or else of its content."""
    if not isinstance(data, Mapping) or "results" in data:
        return f'W/"{digest(JSONRenderer().render(data) if content is None else content)}"'
    # A write has the tag of a read of the object, whatever the action itself returns.
    is_read = view.request.method in ("GET", "HEAD")
    serializer_class: Any = view.get_serializer_class() if is_read else type(view).serializer_class
    return tag_of(data, getattr(serializer_class, "Meta", None))


def not_modified(response: HttpResponseBase) -> HttpResponseNotModified:
    """Return 304 with the headers of a response that the client already has."""
    headers = {name: value for name, value in response.items() if not name.lower().startswith("content-")}
    return HttpResponseNotModified(headers=headers)
