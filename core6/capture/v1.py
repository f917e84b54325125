"""The newer protocol of SDKs, `/i/v1/analytics/events`: a result for each event (E11)."""

import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse

from core6.capture import moments
from core6.capture.answers import allowing_origins, unavailable_without_database
from core6.capture.envelope import MOST_EVENTS, Incoming, storable
from core6.capture.projects import Target, project_of
from core6.capture.refusals import Refused
from core6.capture.views import LARGEST_BATCH, keep
from core6.database import timestamps

_REQUIRED: Final = ("PostHog-Sdk-Info", "PostHog-Attempt", "PostHog-Request-Id", "PostHog-Request-Timestamp")
_LONGEST: Final = 200
_WINDOW_BITS: Final = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_OPTIONS: Final = {
    "cookieless_mode": bool,
    "disable_skew_correction": bool,
    "process_person_profile": bool,
    "product_tour_id": str,
}


class Invalid(Exception):
    """The whole request is refused: the status, the error, and what to do."""

    def __init__(self, status: int, error: str, description: str, *, retry_after: int | None = None) -> None:
        super().__init__(description)
        self.status, self.error, self.description, self.retry_after = status, error, description, retry_after


class Dropped(Exception):
    """One event is dropped; the message is the code of its result."""


@allowing_origins
@unavailable_without_database
def events(request: HttpRequest) -> HttpResponse:
    """Store the events that are right, and say of each other one why it was dropped."""
    try:
        return JsonResponse({"results": _results(request)})
    except Invalid as invalid:
        answer = {"error": invalid.error, "error_description": invalid.description, "error_uri": ""}
        response = JsonResponse(answer, status=invalid.status)
        if invalid.retry_after is not None:
            response.headers["Retry-After"] = str(invalid.retry_after)
        return response


def _results(request: HttpRequest) -> dict[str, dict[str, str]]:
    if request.method != "POST":
        raise Invalid(405, "method_not_allowed", "Use POST.")
    sent_at = _check_headers(request.headers)
    target = _target(request.headers.get("Authorization", ""))
    batch = _batch(_body(request))
    now = timestamps.now()
    results, right = {}, []
    for uuid, given in batch.items():
        try:
            right.append(_event(uuid, given, now, sent_at))
        except Dropped as dropped:
            results[str(uuid)] = {"result": "drop", "details": str(dropped)}
        else:
            results[str(uuid)] = {"result": "ok"}
    try:
        if right:
            keep(target, right, request.META.get("REMOTE_ADDR", ""))
    except Refused as refused:
        raise Invalid(refused.status, refused.code, refused.detail, retry_after=refused.retry_after) from refused
    return results


def _check_headers(headers: Mapping[str, str]) -> datetime:
    """Return when the request was sent; raises Invalid."""
    missing = [name for name in _REQUIRED if not headers.get(name)]
    if missing:
        raise Invalid(400, "missing_required_headers", f"Send {', '.join(missing)}.")
    if not headers["PostHog-Attempt"].isdigit():
        raise Invalid(400, "invalid_header_value", "PostHog-Attempt is no number.")
    sent_at = moments.parse(headers["PostHog-Request-Timestamp"])
    if sent_at is None:
        raise Invalid(400, "invalid_header_value", "PostHog-Request-Timestamp is no time.")
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise Invalid(415, "unsupported_media_type", "Send application/json.")
    return sent_at


def _target(authorization: str) -> Target:
    target = project_of(authorization.removeprefix("Bearer ").strip())
    if target is None:
        raise Invalid(401, "invalid_api_token", "Send the token of a project (phc_…) as bearer token.")
    return target


def _body(request: HttpRequest) -> Any:
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", *_WINDOW_BITS):
        raise Invalid(415, "unsupported_content_encoding", "Send gzip, deflate or none.")
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_BATCH:
        raise Invalid(413, "payload_too_large", f"Send at most {LARGEST_BATCH} bytes.")
    content = request.read()
    try:
        if encoding in _WINDOW_BITS:
            content = zlib.decompressobj(_WINDOW_BITS[encoding]).decompress(content, LARGEST_BATCH + 1)
        if len(content) > LARGEST_BATCH:
            raise Invalid(413, "payload_too_large", f"Send at most {LARGEST_BATCH} bytes.")
        return json.loads(content)
    except (zlib.error, ValueError, RecursionError) as error:
        raise Invalid(400, "invalid_batch", "The body cannot be read.") from error


def _batch(body: Any) -> dict[UUID, dict[str, Any]]:
    """Return the events by their uuids; raises Invalid."""
    batch = body.get("batch") if isinstance(body, dict) else None
    if not isinstance(batch, list) or not all(isinstance(each, dict) for each in batch):
        raise Invalid(400, "invalid_batch", "Send an object with a list `batch` of objects.")
    if not batch:
        raise Invalid(400, "empty_batch", "Send at least one event.")
    if len(batch) > MOST_EVENTS:
        raise Invalid(413, "payload_too_large", f"Send at most {MOST_EVENTS} events at a time.")
    found: dict[UUID, dict[str, Any]] = {}
    for each in batch:
        try:
            uuid = UUID(each.get("uuid"))
        except (ValueError, TypeError, AttributeError) as error:
            raise Invalid(400, "missing_event_uuid", "Each event needs a uuid.") from error
        if uuid in found:
            raise Invalid(400, "duplicate_event_uuid", f"{uuid} is there twice.")
        found[uuid] = each
    return found


def _event(uuid: UUID, given: dict[str, Any], now: datetime, sent_at: datetime) -> Incoming:
    """Return an event; raises Dropped."""
    name, distinct_id = given.get("event"), given.get("distinct_id")
    if not isinstance(name, str) or not name.strip():
        raise Dropped("missing_event_name")
    if len(name) > _LONGEST:
        raise Dropped("event_name_too_long")
    if not isinstance(distinct_id, str) or not distinct_id.strip():
        raise Dropped("missing_distinct_id")
    if len(distinct_id) > _LONGEST:
        raise Dropped("distinct_id_too_large")
    if moments.parse(given.get("timestamp")) is None:
        raise Dropped("invalid_event_timestamp")
    options, properties = _options(given), _properties(given)
    if options.get("process_person_profile") is False:
        properties["$process_person_profile"] = False
    try:
        return Incoming(
            event=storable(name),
            distinct_id=storable(distinct_id),
            uuid=uuid,
            timestamp=moments.event_time(
                given["timestamp"],
                now=now,
                sent_at=sent_at,
                ignores_sent_at=options.get("disable_skew_correction") is True,
            ),
            properties=properties,
            sets=dict(_objects(properties, "$set")),
            sets_once=dict(_objects(properties, "$set_once")),
        )
    except Refused as refused:
        raise Dropped("malformed_event_properties") from refused


def _options(given: dict[str, Any]) -> dict[str, Any]:
    options = given.get("options") or {}
    if not isinstance(options, dict):
        raise Dropped("invalid_options")
    for name, value in options.items():
        if value is not None and not isinstance(value, _OPTIONS.get(name, object)):
            raise Dropped("invalid_options")
    return options


def _properties(given: dict[str, Any]) -> dict[str, Any]:
    properties = given.get("properties") or {}
    if not isinstance(properties, dict):
        raise Dropped("malformed_event_properties")
    try:
        found: dict[str, Any] = storable(properties)
    except Refused as refused:
        raise Dropped("malformed_event_properties") from refused
    for name in ("session_id", "window_id"):
        if isinstance(given.get(name), str):
            found.setdefault(f"${name}", storable(given[name]))
    return found


def _objects(properties: dict[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    value = properties.get(name)
    if isinstance(value, dict):
        yield from value.items()
