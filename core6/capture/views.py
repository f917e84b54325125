"""The endpoints that take events: `/batch`, `/e`, `/i/v0/e`, `/capture`, `/track`, `/engage`."""

from datetime import UTC, datetime
from functools import partial
from typing import Final

from django.http import HttpRequest, HttpResponse, JsonResponse

from core6 import jobs
from core6.api.parsers import ENDED_EARLY
from core6.capture import envelope, moments
from core6.capture.answers import answered
from core6.capture.decoding import Received, decode
from core6.capture.limits import check_space, count_events
from core6.capture.projects import Target, project_of
from core6.capture.refusals import Refused, too_large, unauthorized
from core6.capture.store import Moved, store
from core6.database import timestamps
from core6.observability import metrics
from core6.observability.logs import logger_of
from projects.models import Project

logger = logger_of(__name__)
#: In bytes, before and after a body is decompressed.
LARGEST_BATCH: Final = 20 * 1024**2
_LARGEST: Final = 2 * 1024**2
#: Merges are written into the events at most once in so many seconds, since that reads all events of the project.
_FOLD_AFTER: Final = 60
_FIRST_YEAR: Final = 2021


@answered
def capture(request: HttpRequest, *, path: str) -> HttpResponse:
    """Store the events of a request; the answer comes after the commit (E1)."""
    largest = LARGEST_BATCH if path == "batch" else _LARGEST
    if int(request.META.get("CONTENT_LENGTH") or 0) > largest:
        raise too_large(f"send at most {largest} bytes")
    if request.META.get(ENDED_EARLY):
        raise Refused("failed to decode request: the body ended too early")
    received = Received(
        body=request.read() if request.method == "POST" else b"",
        data=request.GET.get("data", ""),
        compression=request.GET.get("compression", ""),
        content_type=request.content_type or "",
        content_encoding=request.headers.get("Content-Encoding", ""),
    )
    now = timestamps.now()
    text = decode(received, largest=largest, is_legacy=path != "batch")
    batch = envelope.read(text, now=now, sent_at=_sent_at(request.GET.get("_")), is_engage=path == "engage")
    address = request.META.get("REMOTE_ADDR", "")
    target = project_of(batch.token)
    if target is None:
        count_events(f"address {address}", len(batch.events))
        raise unauthorized("Project API key invalid. You can find your project API key in PostHog project settings.")
    keep(target, batch.events, address)
    return HttpResponse(status=204) if request.GET.get("beacon") == "1" else JsonResponse({"status": 1})


def keep(target: Target, events: list[envelope.Incoming], address: str) -> None:
    """Store the events of a project that an address sent; raises Refused for more than is allowed."""
    count_events(f"address {address}", len(events))
    count_events(f"project {target.id}", len(events))
    check_space(target.id)
    for event in events:
        if target.anonymize_ips:
            event.properties.pop("$ip", None)
        elif address:
            event.properties.setdefault("$ip", address)
    try:
        stored = store(target.id, events, on_merge=partial(_fold_later, target))
    except Moved:
        raise Refused("transient error, please retry", status=503, code="service_unavailable", retry_after=1) from None
    metrics.observe_events(received=len(events), stored=stored.events)
    if stored.events and not target.ingested_event:
        Project.objects.filter(pk=target.id, ingested_event=False).update(ingested_event=True)
    for warning in stored.warnings:
        logger.warning("merge_refused", project_id=target.id, reason=warning)


def _fold_later(target: Target) -> None:
    jobs.enqueue(
        "core6.capture.tasks.fold_merges",
        lock=f"merges:{target.id}",
        is_unique=True,
        organization_id=target.organization_id,
        in_seconds=_FOLD_AFTER,
        project_id=target.id,
    )


def _sent_at(text: str | None) -> datetime | None:
    """Return when a browser sent the request, by the milliseconds in its query."""
    found = moments.parse(int(text)) if text and text.isascii() and text.isdigit() and len(text) < 16 else None
    return found if found and found >= datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC) else None
