"""The WSGI application of web workers, with their connection options."""

import os
from collections.abc import Callable, Iterable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core6.settings")
os.environ["CORE6_PROCESS"] = "web"  # for settings.DATABASES

from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connection, reset_queries
from django.http import HttpResponse
from django.urls import get_resolver
from django.utils.http import parse_header_parameters

# Django checks every connection at the begin and at the end of a request. `application` checks once.
for _signal, _receiver in (
    (request_started, close_old_connections),
    (request_finished, close_old_connections),
    (request_started, reset_queries),
):
    _signal.disconnect(_receiver)


class Request(WSGIRequest):
    """A request whose query string is UTF-8, whatever the charset of its body, which the parsers check.

    Django would decode the query string in that charset here, where an error would not become a response.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except ValueError:
            meta["CONTENT_TYPE"], self.content_type, self.content_params = "", "", {}  # 415 if there is a body


django_application = get_wsgi_application()
django_application.request_class = Request
_ = get_resolver().url_patterns  # load the views now, so that an error stops the start and the first request is fast


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Respond to one request; a complete response is returned as a list, which is sent at once."""
    connection.close_if_unusable_or_obsolete()
    response = django_application(environ, start_response)
    if not isinstance(response, HttpResponse):
        return response  # a stream
    response.close()
    return [response.content]
