"""How ingestion answers: to any origin (E8), with errors in the JSON of the API (E2)."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt

from core6.api import errors
from core6.capture.refusals import Refused
from core6.security.masking import masked

logger = logging.getLogger(__name__)
View = Callable[..., HttpResponse]


def answered(view: View) -> View:
    """Return a view for GET, POST and OPTIONS with CORS headers, whose errors are the JSON of the API."""
    return allowing_origins(unavailable_without_database(_with_refusals(view)))


def allowing_origins(view: View) -> View:
    """Return a view that any origin may call, and that answers OPTIONS (E8)."""

    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "OPTIONS":
            response: HttpResponse = HttpResponse()
        elif request.method in ("GET", "POST"):
            response = view(request, *args, **kwargs)
        else:
            response = errors.answer(405, "method_not_allowed", f'Method "{request.method}" not allowed.')
            response.headers["Allow"] = "GET, POST, OPTIONS"
        _allow_origin(request, response)
        return response

    return answer


def unavailable_without_database(view: View) -> View:
    """Return a view that answers 503 when the database does not: SDKs send the events again."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("Events were refused with 503: %s", masked(f"{type(error).__name__}: {error}"))
            return errors.unavailable()

    return answer


def _with_refusals(view: View) -> View:
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Refused as refused:
            return _refusal(refused)

    return answer


def _refusal(refused: Refused) -> HttpResponse:
    response = errors.answer(refused.status, refused.code, refused.detail, refused.kind)
    if refused.retry_after is not None:
        response.headers["Retry-After"] = str(refused.retry_after)
    return response


def _allow_origin(request: HttpRequest, response: HttpResponse) -> None:
    """Mirror the origin and the headers that it wants to send: tokens are public."""
    patch_vary_headers(response, ["Origin"])
    response.headers["Cache-Control"] = "no-store"
    origin = request.headers.get("Origin")
    if origin is None:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Allow-Credentials"] = "true"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
        if wanted := request.headers.get("Access-Control-Request-Headers"):
            response.headers["Access-Control-Allow-Headers"] = wanted
