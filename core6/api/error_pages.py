"""Errors outside `/api/` as pages, for browsers; every other client gets the error JSON (D17)."""

import json
import sys
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Final

from django.core.exceptions import DisallowedHost
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from core6.api import errors

#: What a page says in place of the detail of the JSON.
_TEXTS: Final = {
    403: "You may not do this: log in as a user of the console who may.",
    404: "There is no page at this address: check it, or go to the first page.",
    500: "A server error occurred: the log of the server has the reason.",
    503: "The database does not answer: wait a few seconds, then load the page again.",
}
_FORGED: Final = (
    "The form could not be checked, since it is too old or cookies are blocked: load the page, and send it again."
)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Respond to a request that is refused before any view."""
    is_foreign = isinstance(exception, DisallowedHost)
    return _for_browser(request, errors.bad_request(request, exception), style=_style() if is_foreign else "")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Respond to a request that its user may not make."""
    return _for_browser(request, errors.forbidden(request, exception))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Respond to a form that does not come from a page of this server, or is too old."""
    return _for_browser(request, errors.forbidden(request, PermissionError(reason)), _FORGED)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Respond to an unknown address."""
    return _for_browser(request, errors.not_found(request, exception))


def server_error(request: HttpRequest) -> HttpResponse:
    """Respond to the exception that is being handled: 503 if the database is away, else 500."""
    is_away = isinstance(sys.exception(), OperationalError | InterfaceError)
    return _for_browser(request, errors.unavailable() if is_away else errors.server_error(request))


@cache
def _style() -> str:
    """Return the style of the pages, for a page of a host whose other addresses are refused, too."""
    return (Path(__file__).parents[1] / "static" / "core6" / "pages.css").read_text()


def _for_browser(request: HttpRequest, response: HttpResponse, text: str = "", style: str = "") -> HttpResponse:
    """Return the error as a page, if a browser requested one; nothing of it needs the database.

    With a `style` the page is complete in itself: it loads and links nothing.
    """
    if request.path_info.startswith("/api/") or "text/html" not in request.META.get("HTTP_ACCEPT", ""):
        return response
    status = response.status_code
    text = text or _TEXTS.get(status) or json.loads(response.content)["detail"]
    context = {"status": status, "title": HTTPStatus(status).phrase, "text": text, "style": style}
    page = HttpResponse(render_to_string("core6/error.html", context), status=status)
    if "Retry-After" in response:
        page.headers["Retry-After"] = response.headers["Retry-After"]
    return page
