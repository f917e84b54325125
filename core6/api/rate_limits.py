"""Rate limits of personal API keys (RATE_LIMIT_ENABLED), with their state in headers of each response (D16)."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from core6.rate_limits.models import Use, count_call

_NAMES = {60: "minute", 3600: "hour"}


class KeyThrottle(BaseThrottle):
    """Refuses a key that has made too many calls in one of the windows (429).

    A view checks this after authentication. REST framework checks again after the permissions, which is not counted.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        if not settings.RATE_LIMITS or request.auth is None:
            return True
        view.used = view.used or count_call(request.auth.key.pk, settings.RATE_LIMITS)
        self._used: Sequence[Use] = view.used
        return not any(use.is_exceeded for use in self._used)

    def wait(self) -> float | None:
        """Return the seconds until the last of the exceeded windows ends."""
        return max(use.resets_in for use in self._used if use.is_exceeded)


def add_headers(response: HttpResponseBase, used: Sequence[Use]) -> None:
    """Add the state of the limits to a response (draft-ietf-httpapi-ratelimit-headers)."""
    named = [(_NAMES[use.seconds], use) for use in used]
    response.headers["RateLimit-Policy"] = ", ".join(f'"{name}";q={use.limit};w={use.seconds}' for name, use in named)
    response.headers["RateLimit"] = ", ".join(f'"{name}";r={use.remaining};t={use.resets_in}' for name, use in named)
