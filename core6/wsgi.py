"""What a web worker loads: the WSGI application and its connection options."""

import os
from collections.abc import Callable, Iterable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core6.settings")

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connection, reset_queries
from django.http import HttpResponse
from django.urls import get_resolver
from django.utils.http import parse_header_parameters

settings.DATABASES["default"]["OPTIONS"].update(settings.WEB_CONNECTION_OPTIONS)
# Django looks at every connection when a request begins and again when it ends. `application` does so once.
for _signal, _receiver in (
    (request_started, close_old_connections),
    (request_finished, close_old_connections),
    (request_started, reset_queries),
):
    _signal.disconnect(_receiver)


class Request(WSGIRequest):
    """A request whose query is UTF-8, whatever charset its body is said to have: that is judged with the body.

    Django would read the query in that charset here, where nothing turns what goes wrong into an answer.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except ValueError:
            meta["CONTENT_TYPE"], self.content_type, self.content_params = "", "", {}  # 415 where there is a body


django_application = get_wsgi_application()
django_application.request_class = Request
_ = get_resolver().url_patterns  # load the views now: a mistake stops the start, and no request pays for it


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer one request; content that is there already is handed over as a list, which is sent at once."""
    connection.close_if_unusable_or_obsolete()
    response = django_application(environ, start_response)
    if not isinstance(response, HttpResponse):
        return response  # a stream
    response.close()
    return [response.content]
