"""The events of a request, whatever its shape, and the token of their project."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from core6.analytics.record_values import flaw
from core6.capture import moments
from core6.capture.refusals import Refused, too_large, unauthorized

MOST_EVENTS: Final = 10_000
#: Characters of a distinct id and of the name of an event.
_LONGEST: Final = 200
_LONGEST_TOKEN: Final = 64
#: JSON with more objects and lists is refused before it is parsed: each costs a hundred times its size.
_MOST_CONTAINERS: Final = 500_000
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Incoming:
    """An event as a client sent it; `uuid` None is one that the server chooses."""

    event: str
    distinct_id: str
    uuid: UUID | None
    timestamp: datetime
    properties: dict[str, Any]
    sets: dict[str, Any]
    sets_once: dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """The events of a request, with the token of their project."""

    token: str
    events: list[Incoming]


def read(text: str, *, now: datetime, sent_at: datetime | None, is_engage: bool) -> Batch:
    """Return the events of a request; raises Refused for the first one that is wrong (E3)."""
    value = _parsed(text)
    token: Any = None
    if isinstance(value, dict) and "batch" in value:
        token = value.get("api_key") or value.get("token")
        sent_at = moments.parse(value.get("sent_at")) or sent_at
        events = value["batch"]
        if not isinstance(events, list):
            raise Refused("failed to parse request: batch is no list")
    else:
        events = value if isinstance(value, list) else [value]
    if not events:
        raise Refused("request holds no event")
    if len(events) > MOST_EVENTS:
        raise too_large(f"{len(events)} events: send at most {MOST_EVENTS} at a time")
    try:
        found = [_event(each, now, sent_at, is_engage=is_engage) for each in events]
    except RecursionError as error:
        raise Refused("failed to parse request: an event is nested too deeply") from error
    return Batch(_checked(token or _common_token(events)), found)


def _parsed(text: str, *, is_inner: bool = False) -> dict[str, Any] | list[Any]:
    if text.count("{") + text.count("[") > _MOST_CONTAINERS:
        raise too_large("too many objects and lists")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("failed to parse request: the body is no JSON") from error
    if isinstance(value, str) and not is_inner:
        # A client that encoded twice.
        return _parsed(value, is_inner=True)
    if not isinstance(value, dict | list):
        raise Refused("failed to parse request: the body is neither an event nor a list of events")
    return value


def _common_token(events: list[Any]) -> Any:
    """Return the one token that the events name."""
    tokens = {token for each in events if isinstance(token := _token(each), str)}
    if len(tokens) > 1:
        raise unauthorized("batch submitted with inconsistent api_key values")
    return next(iter(tokens), None)


def _token(event: dict[str, Any]) -> Any:
    properties = event.get("properties")
    of_properties = properties.get("token") if isinstance(properties, dict) else None
    return event.get("token") or event.get("$token") or event.get("api_key") or of_properties


def _checked(token: Any) -> str:
    """Return the token if it can be one; raises Refused, 401, with what is wrong."""
    if not isinstance(token, str) or not token.strip():
        raise unauthorized("event submitted without an api_key")
    text: str = token.strip()
    reason = next(_flaws(text), None)
    if reason is not None:
        raise unauthorized(f"API key is not valid: {reason}")
    return text


def _flaws(token: str) -> Iterator[str]:
    if "\0" in token:
        yield "null_byte"
    if not token.isascii():
        yield "not_ascii"
    if token.startswith("phx_"):
        yield "personal_api_key: send the token of a project (phc_…), which its settings show"
    if token.startswith("phs_"):
        yield "secret token: send the token of a project (phc_…), which its settings show"
    if len(token) > _LONGEST_TOKEN:
        yield "too_long"


def _event(given: Any, now: datetime, sent_at: datetime | None, *, is_engage: bool) -> Incoming:
    if not isinstance(given, dict):
        raise Refused("failed to parse request: an event is no object")
    properties = given.get("properties")
    if properties is None:
        properties = {}
    if not isinstance(properties, dict):
        raise Refused("failed to parse request: the properties of an event are no object")
    name = given.get("event")
    if name is None and is_engage:
        name = "$identify"
    if not isinstance(name, str) or not name.strip():
        raise Refused("event submitted with an empty event name")
    properties = storable(properties)
    return Incoming(
        event=storable(name)[:_LONGEST],
        distinct_id=_distinct_id(given, properties),
        uuid=_uuid(given.get("uuid")),
        timestamp=moments.event_time(
            given.get("timestamp"),
            now=now,
            sent_at=sent_at,
            offset=given.get("offset"),
            ignores_sent_at=bool(properties.get("$ignore_sent_at")),
        ),
        properties=properties,
        sets=_object(given, properties, "$set"),
        sets_once=_object(given, properties, "$set_once"),
    )


def _distinct_id(given: dict[str, Any], properties: dict[str, Any]) -> str:
    """Return the distinct id; that of the event wins over that of its properties, and null is none."""
    places = (given.get("distinct_id"), given.get("$distinct_id"), properties.get("distinct_id"))
    value = next((each for each in places if each is not None), None)
    text = "" if value is None else as_distinct_id(value)
    if not text.strip():
        raise Refused("event submitted without a distinct_id")
    found: str = storable(text)
    return found[:_LONGEST]


def as_distinct_id(value: Any) -> str:
    """Return the distinct id that a JSON value stands for: a number is its digits."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _uuid(value: Any) -> UUID | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and _UUID.fullmatch(value):
        return UUID(value)
    raise Refused("failed to parse request: the uuid of an event is none")


def _object(given: dict[str, Any], properties: dict[str, Any], name: str) -> dict[str, Any]:
    """Return `$set` or `$set_once`: of the properties, and of the event, which wins."""
    merged: dict[str, Any] = {}
    for part in (properties.get(name), given.get(name)):
        if isinstance(part, dict):
            merged |= part
    found: dict[str, Any] = storable(merged)
    return found


def storable(value: Any) -> Any:
    """Return JSON that the database can store: NUL becomes U+FFFD; raises Refused for what has no meaning."""
    found = flaw(value)
    if found:
        value = _without_nul(value)
        found = flaw(value)
    if found:
        raise Refused(f"failed to parse request: {found[0] or 'a value'} {found[1]}")
    return value


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "�")
    if isinstance(value, list):
        return [_without_nul(each) for each in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(each) for key, each in value.items()}
    return value
