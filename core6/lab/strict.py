"""Strictness: requests that the server would answer, though it ignores a part of them, are refused with a reason.

What is known is read from the schema: paths, query parameters, and the fields of bodies, in JSON at any depth.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

from django.http import QueryDict
from rest_framework.request import Request

from core6.api.not_emulated import endpoint_not_found
from core6.api.openapi.api_schema import api_schema
from core6.api.parsers import UNREADABLE
from core6.lab.refusals import Refused
from core6.terminal.suggestions import most_similar

#: What is there beside the schema's paths.
_PAGES: Final = re.compile(r"/(?:admin(?:/.*)?|static/.*|docs/.*|_(?:livez|readyz|lab)(?:/.*)?|metrics|api/schema/.*)?")
#: Every operation takes these, though the schema names them for the key alone.
_EVERYWHERE: Final = frozenset({"personal_api_key"})
_METHODS: Final = ("get", "post", "put", "patch", "delete")


def check(request: Request) -> None:
    """Raise Refused for an unknown endpoint (501), query parameter or field (400)."""
    path, method = request.META["PATH_INFO"], str(request.method).lower()
    if _PAGES.fullmatch(path):
        return
    described = next((methods for pattern, methods in _paths() if pattern.fullmatch(path)), None)
    if described is None:
        raise Refused(_unknown_endpoint(path), status=501, code="not_emulated")
    operation = described.get("get" if method == "head" else method)
    if operation is None:
        return  # the server answers 405
    known = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"} | _EVERYWHERE
    try:
        names = list(request.query_params)
    except UNREADABLE:
        return  # the server says what is wrong
    for name in names:
        if name not in known:
            raise Refused(_unknown("query parameter", name, known), name, code="unknown_parameter")
    if "requestBody" in operation:
        _check_body(operation["requestBody"], request)


def _check_body(described: dict[str, Any], request: Request) -> None:
    try:
        value = request.data
    except UNREADABLE:
        return
    schema = described["content"]["application/json"]["schema"]
    if isinstance(value, QueryDict):  # a form; what its values mean is not known here
        value = dict.fromkeys(re.split(r"[.\[]", name)[0] for name in value)
    for path, name, known in _unknown_fields(value, schema, ""):
        if path or name not in _EVERYWHERE:
            raise Refused(_unknown("field", f"{path}{name}", known), f"{path}{name}", code="unknown_field")


def _unknown_fields(value: Any, schema: dict[str, Any], path: str) -> Iterator[tuple[str, str, Iterable[str]]]:
    """Yield the path, the name and the known names of each field that the schema does not have."""
    schema = _resolved(schema)
    if isinstance(value, list):
        for i, each in enumerate(value):
            yield from _unknown_fields(each, schema.get("items", {}), f"{path}{i}.")
    if not isinstance(value, dict) or "properties" not in schema:
        return  # free in form
    for name, each in value.items():
        if name in schema["properties"]:
            yield from _unknown_fields(each, schema["properties"][name], f"{path}{name}.")
        elif not schema.get("additionalProperties"):
            yield path, name, schema["properties"]


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the component that a schema refers to, also as the only one of `allOf`."""
    if len(schema.get("allOf", ())) == 1:
        return _resolved(schema["allOf"][0])
    if "$ref" in schema:
        component: dict[str, Any] = api_schema()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return component
    return schema


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    similar = most_similar(name.rpartition(".")[2], known)
    return f"Unknown {kind} {name[:100]}: {f'did you mean {similar}?' if similar else 'the server would ignore it.'}"


def _unknown_endpoint(path: str) -> str:
    similar = most_similar(path.strip("/"), (template.strip("/") for template in api_schema()["paths"]))
    text = endpoint_not_found(path) if path.startswith("/api/") else f"Core6 does not have {path[:100]}."
    return f"{text} The nearest is /{similar}/." if similar else text


@cache
def _paths() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """Return a pattern of each path with its operations; both take the final slash and do without it."""
    found = []
    # Those with fewer parameters first: `annotations/activity/` is no `annotations/{id}/`.
    for template, methods in sorted(api_schema()["paths"].items(), key=lambda item: item[0].count("{")):
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template.rstrip("/")))
        found.append((re.compile(f"{pattern}/?"), {name: methods[name] for name in _METHODS if name in methods}))
    return found
