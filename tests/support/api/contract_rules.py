"""What a JSON schema cannot say of this server: how it reads values, as REST framework does, and what else it checks.

A value that is wrong by the schema may be right as it is read (`"on"` is true, 5 is a name), and the other way round
(a name of blanks). Such a value proves nothing. A form holds only texts: what it may hold, other tests check.
"""

import re
from collections.abc import Mapping
from functools import reduce
from operator import getitem
from typing import Any, Final

from django.http import QueryDict
from jsonschema_rs import Draft4Validator
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from schemathesis import Case, Response
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import AllowHeaderMismatch, RejectedPositiveData

#: Query parameters of which nonsense is ignored, as in the real service: the page is then the default one.
_LENIENT: Final = {"limit", "offset", "is_csv_export"}
#: Refusals of well-formed values: they depend on what is stored, on another field, or on a language of its own.
_RULES: Final = re.compile(
    r"""
    # Objects that are not there, or there already.
    Invalid\ pk | Dashboard\ (not\ found|does\ not\ belong) | User\ does\ not\ exist | User\ is\ already\ part
    | No\ valid\ users | There\ is\ already | You\ have\ reached
    # Cohorts: static or not; filters, groups, a query and a type that must fit.
    | Can\ only\ (add|remove)\ users | person_ids\ must\ be\ a\ list$ | person_id\ is\ required | Cohorts?\b | Query\b
    | Invalid\ (Cohort|cohort) | Cannot\ (set\ both|create\ a\ dynamic) | HogQL | Every\ id\ must\ be\ a\ valid\ UUID
    # What another value of the same type may be, but not this one.
    | Recording\ scope\ is\ deprecated | The\ access_control\ field | Primary\ dashboard\ cannot | Invalid\ webhook
    | Invalid\ date\ range | Must\ be\ a\ JSON\ list | Must\ provide\ a\ (list|dictionary\ with\ only)
    | Field\ autocapture_exceptions | .*\ is\ not\ a\ known\ modifier | Log\ retention
    """,
    re.VERBOSE,
)
#: Fields whose inner rules are a language: criteria, their older form, and configurations by their keys.
_LANGUAGES: Final = ("filters", "groups", "query", "modifiers", "session_replay_config", "session_recording_masking")


def is_the_servers_fault(failure: Failure, case: Case, response: Response) -> bool:
    """Return whether a failure says something about the server, and not about what a schema cannot say."""
    if isinstance(failure, AcceptedNegativeData):
        return not (_is_a_form(case) or _is_right_as_read(case, response))
    if isinstance(failure, RejectedPositiveData):
        return not (_is_a_form(case) or _is_documented_refusal(response) or not _is_right_as_read(case, response))
    # A hard delete is declared, refused, and so not listed by `Allow` (D27).
    return not (isinstance(failure, AllowHeaderMismatch) and failure.missing_methods == ["DELETE"])


def _is_a_form(case: Case) -> bool:
    return case.media_type not in (None, "application/json")


def _is_documented_refusal(response: Response) -> bool:
    if response.status_code != 400:
        return False
    body = response.json()
    field = body["attr"] or ""
    # NUL is a character of every string by the schema, and of no text of Postgres.
    is_nul = body["code"] == "null_characters_not_allowed"
    return is_nul or bool(_RULES.match(body["detail"])) or field.startswith(_LANGUAGES)


def _is_right_as_read(case: Case, response: Response) -> bool:
    meta = case.meta
    assert meta is not None
    if meta.is_negative_at(ParameterLocation.PATH):
        return False
    return _query_is_right(case, response) and _body_is_right(case)


def _query_is_right(case: Case, response: Response) -> bool:
    sent = QueryDict((response.request.url or "").partition("?")[2])
    parameters = {each.name: each.definition["schema"] for each in case.operation.query}
    return all(
        name in _LENIENT or text == "" or _is_right(text, parameters[name])
        for name, text in sent.items()
        if name in parameters
    )


def _body_is_right(case: Case) -> bool:
    if isinstance(case.body, bytes):
        # Blanks are an empty object, and what begins with `name=` is a form (D22).
        return not case.body.strip() or b"=" in case.body
    body = case.operation.get_body_for_media_type(case.media_type) if case.media_type else None
    return body is None or _is_right(case.body, body.optimized_schema)


def _is_right(value: Any, schema: Any) -> bool:
    try:
        return bool(Draft4Validator(schema).is_valid(_read(value, schema, schema)))
    except ValidationError:
        return False


def _read(value: Any, schema: Any, root: Any) -> Any:
    """Return a value as a field of REST framework for this schema reads it; raises ValidationError if none does."""
    resolved = _resolved(schema, root)
    kind = resolved.get("type")
    if kind == "object" and isinstance(value, Mapping):
        properties = resolved.get("properties", {})
        return {name: _read(each, properties.get(name, {}), root) for name, each in value.items()}
    if kind == "array" and isinstance(value, list):
        return [_read(each, resolved.get("items", {}), root) for each in value]
    field = _field(resolved)
    read = field.run_validation(value) if field else value
    return read if field is None or read is None else field.to_representation(read)


def _resolved(schema: Any, root: Any) -> dict[str, Any]:
    """Return what a schema says of values other than null; `nullable` says whether there is null, too."""
    if "$ref" in schema:
        return _resolved(reduce(getitem, schema["$ref"].removeprefix("#/").split("/"), root), root)
    parts = [_resolved(each, root) for word in ("anyOf", "oneOf", "allOf") for each in schema.get(word, ())]
    if not parts:
        return {"nullable": True} if schema.get("type") == "null" else dict(schema)
    merged: dict[str, Any] = {}
    for part in parts:
        merged |= {**part, "enum": [*merged.get("enum", ()), *part["enum"]]} if "enum" in part else part
    return merged


def _field(schema: Mapping[str, Any]) -> serializers.Field[Any, Any, Any, Any] | None:
    options: dict[str, Any] = {"allow_null": "nullable" in schema}
    if "enum" in schema:
        return serializers.ChoiceField(choices=schema["enum"], allow_blank="" in schema["enum"], **options)
    match schema.get("type"), schema.get("format"):
        case "string", "date-time":
            return serializers.DateTimeField(**options)
        case "string", "uuid":
            return serializers.UUIDField(**options)
        case "string", "decimal":
            return serializers.DecimalField(max_digits=3, decimal_places=2, **options)
        case "string", _:
            return serializers.CharField(allow_blank=not schema.get("minLength"), **options)
        case "integer", _:
            return serializers.IntegerField(**options)
        case "boolean", _:
            return serializers.BooleanField(**options)
    return None
