"""The id of each request: `X-Request-Id` as sent when it is one, else made here; in every answer and log line."""

import re
from collections.abc import Callable
from contextvars import ContextVar
from random import getrandbits
from typing import Final

from django.http import HttpRequest, HttpResponse

_VALID: Final = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}")
_current: ContextVar[str] = ContextVar("request_id", default="")


class RequestIdMiddleware:
    """Gives the request its id for as long as it is answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = choose(request.META.get("HTTP_X_REQUEST_ID", ""))
        token = _current.set(request_id)
        try:
            response = self.get_response(request)
        finally:
            _current.reset(token)
        response.headers["X-Request-Id"] = request_id
        return response


def choose(sent: str) -> str:
    """Return what was sent when it is an id, else a new one."""
    return sent if _VALID.fullmatch(sent) else f"{getrandbits(128):032x}"


def current() -> str:
    """Return the id of the request that is being answered; "" where there is none."""
    return _current.get()
