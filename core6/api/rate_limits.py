"""How often a personal API key may call: RATE_LIMIT_ENABLED, told with every answer of its own (D16)."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from core6.rate_limits.models import Use, count_call

_NAMES = {60: "minute", 3600: "hour"}


class KeyThrottle(BaseThrottle):
    """Refuses with 429 a key that has called too often in one of the windows.

    A view asks as soon as it knows who calls. REST framework asks again after the permissions: that counts no more.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        if not settings.RATE_LIMITS or request.auth is None:
            return True
        view.used = view.used or count_call(request.auth.key.pk, settings.RATE_LIMITS)
        self._used: Sequence[Use] = view.used
        return not any(use.is_over for use in self._used)

    def wait(self) -> float | None:
        """Return the seconds until the last window that is over ends."""
        return max(use.rest for use in self._used if use.is_over)


def tell(response: HttpResponseBase, used: Sequence[Use]) -> None:
    """Add what is left to an answer (draft-ietf-httpapi-ratelimit-headers)."""
    named = [(_NAMES[use.seconds], use) for use in used]
    response.headers["RateLimit-Policy"] = ", ".join(f'"{name}";q={use.limit};w={use.seconds}' for name, use in named)
    response.headers["RateLimit"] = ", ".join(f'"{name}";r={use.remaining};t={use.rest}' for name, use in named)
