"""The page of the lab: its clock, strictness, faults and last requests. It shows them, and changes nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from core6.console import lab_connection

#: The most requests on the page.
MOST: Final = 100
#: What requests can be filtered by: the class of their status.
STATUSES: Final = ("2xx", "3xx", "4xx", "5xx", "cut")
_STYLES: Final = {"2xx": "success", "3xx": "info", "4xx": "warning", "5xx": "danger", "cut": "danger"}
_FIRST_FAULT: Final = {
    "method": "GET",
    "path": "/api/projects/*/annotations/",
    "times": 1,
    "answer": {"status": 503},
}


@dataclass(frozen=True)
class Fault:
    """A fault as the page shows it. `more` is the headers and the body of its answer, as JSON; "" for none."""

    id: int
    method: str
    path: str
    key: str
    left: str
    effect: str
    more: str


@dataclass(frozen=True)
class Request:
    """A request of the journal as the page shows it. `status_class` is one of STATUSES."""

    id: int
    at: datetime
    method: str
    address: str
    key: str
    status: str
    status_class: str
    style: str
    milliseconds: float
    fault: int | None
    headers: dict[str, str]
    body: str


def is_on(_: HttpRequest) -> bool:
    """Return whether the console has the page."""
    return settings.IS_LAB


@require_safe
def lab_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show the lab, or why it does not answer; 404 without a lab. `context` is that of every page of the console."""
    if not is_on(request):
        raise Http404
    context = {**context, "title": "Lab", **_content(request)}
    return TemplateResponse(request, "core6/console/lab.html", context)


def _content(request: HttpRequest) -> dict[str, Any]:
    try:
        state = lab_connection.read()
    except lab_connection.NotAnswering as error:
        return {"problem": str(error)}
    journal = [_request(each) for each in reversed(state["requests"]["results"])]
    chosen = {name: request.GET.get(name, "").strip() for name in ("path", "method", "status")}
    found = [each for each in journal if _fits(each, chosen)]
    return {
        "now": datetime.fromisoformat(state["clock"]["now"]),
        "shift": _shift(state["clock"]["shift_seconds"]),
        "is_strict": state["strict"]["enabled"],
        "faults": [_fault(each) for each in state["faults"]["results"]],
        "first_fault": _first_fault(request),
        "journal": journal,
        "found": found,
        "requests": found[:MOST],
        "dropped": state["requests"]["dropped"],
        "chosen": chosen,
        "methods": sorted({each.method for each in journal}),
        "statuses": STATUSES,
        "example": request.build_absolute_uri("/api/projects/@current/annotations/"),
    }


def _fits(request: Request, chosen: Mapping[str, str]) -> bool:
    """Return whether a request has the text in its path or query, the method and the status class; "" fits all."""
    return (
        chosen["path"].lower() in request.address.lower()
        and chosen["method"] in ("", request.method)
        and chosen["status"] in ("", request.status_class)
    )


def _request(entry: Mapping[str, Any]) -> Request:
    """Return an entry of the journal as the page shows it."""
    status_class = f"{entry['status'] // 100}xx" if entry["status"] else "cut"
    body = entry["body"]
    return Request(
        id=entry["id"],
        at=datetime.fromisoformat(entry["at"]),
        method=entry["method"],
        address=f"{entry['path']}?{entry['query']}" if entry["query"] else entry["path"],
        key=entry["key"] or "",
        status=str(entry["status"] or "cut"),
        status_class=status_class,
        style=_STYLES.get(status_class, ""),
        milliseconds=entry["ms"],
        fault=entry["fault"],
        headers=entry["headers"],
        body=body if isinstance(body, str) else "" if body is None else _json(body),
    )


def _fault(entry: Mapping[str, Any]) -> Fault:
    """Return a fault that the lab lists as the page shows it."""
    more = {name: value for name, value in entry.get("answer", {}).items() if name != "status" and value}
    return Fault(
        id=entry["id"],
        method=entry.get("method", "any"),
        path=entry["path"],
        key=entry.get("key", "any"),
        left=_times(entry["times"]),
        effect=_effect(entry),
        more=_json(more) if more else "",
    )


def _times(count: int | None) -> str:
    if count is None:
        return "always"
    return "once" if count == 1 else f"{count:,} times"


def _effect(fault: Mapping[str, Any]) -> str:
    """Return in words what a fault does."""
    if answer := fault.get("answer"):
        return f"answers {answer['status']}"
    if delay := fault.get("delay_ms"):
        return f"delays the answer by {delay:,} ms"
    if fault.get("cut"):
        return "cuts the connection"
    return f"ends the answer after {fault['truncate_bytes']:,} bytes"


def _shift(seconds: float) -> str:
    """Return in words how far the clock is from that of the machine."""
    distance = timedelta(seconds=round(abs(seconds)))
    if not distance:
        return "the time of this machine"
    return f"{str(distance).removesuffix(', 0:00:00')} {'ahead of' if seconds > 0 else 'behind'} this machine"


def _first_fault(request: HttpRequest) -> str:
    """Return the command that orders a fault, to be pasted into a shell."""
    token = f'-H "Authorization: Bearer ${settings.LAB_TOKEN_NAME}" ' if settings.LAB_TOKEN else ""
    address = request.build_absolute_uri("/_lab/faults")
    return f"curl {token}-H \"Content-Type: application/json\" {address} -d '{json.dumps(_FIRST_FAULT)}'"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
