"""The middleware of the console: sessions, authentication, messages and Content-Security-Policy."""

from collections.abc import Callable
from typing import Any, Final

from csp.decorators import csp_update
from csp.middleware import CSPMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase

#: The script library of the console evaluates expressions in our pages. Injected markup cannot add scripts by that.
SCRIPTS: Final = {"script-src": ["'self'", "'unsafe-eval'"]}


class ConsoleMiddleware:
    """Runs Django's middleware only for URLs of the console, so that it costs API requests nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        policed = CSPMiddleware(csp_update(SCRIPTS)(get_response))
        self.console: Any = SessionMiddleware(AuthenticationMiddleware(MessageMiddleware(policed)))

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith("/admin/"):
            response: HttpResponseBase = self.console(request)
            return response
        return self.get_response(request)
