"""What a web worker loads: the application, its connection options, and its bond to the process that started it."""

import os
import signal
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from core6 import processes

if "CORE6_SUPERVISED" in os.environ:
    # Workers of a web server that is killed would live on and hold its port.
    processes.die_with_parent()
    if not processes.descends_from(int(os.environ["CORE6_SUPERVISED"])):
        os._exit(1)  # whoever started the server was killed before the bond was in place
    # Until the web server sets its own, a worker has a copy of its parent's handler, which notes a stop for nobody.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core6.settings")

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connection, reset_queries
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
    """Answer one request; a body sent in chunks, of which Django reads nothing, gets its length here."""
    if environ.get("HTTP_TRANSFER_ENCODING") and not environ.get("CONTENT_LENGTH"):
        # One byte past the limit is enough to be refused as too large.
        body = environ["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
    connection.close_if_unusable_or_obsolete()
    response = django_application(environ, start_response)
    if environ.get("CONTENT_LENGTH"):
        # A body that nobody read would end the connection, perhaps before the caller has seen the answer.
        environ["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    return response
