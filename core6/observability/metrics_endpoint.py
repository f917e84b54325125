"""`GET /metrics`: all metrics as text for Prometheus, for clients that send the METRICS_TOKEN.

Each process that `serve` starts reports the metrics of all of them, including those that have ended.
"""

import os
import socket
from collections.abc import Callable, Iterable
from functools import cache
from threading import Thread
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer, choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from core6.api import errors
from core6.observability import metrics
from core6.observability.queue_metrics import QueueCollector

_REFUSAL: Final = "Send METRICS_TOKEN as the bearer token to read the metrics."


@cache
def registry() -> CollectorRegistry:
    """Return the registry of all metrics."""
    found = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(found)  # type: ignore[no-untyped-call]  # of the library
    else:
        found.register(metrics.families().registry)
    found.register(QueueCollector())
    return found


def _is_allowed(authorization: str) -> bool:
    scheme, _, token = authorization.strip().partition(" ")
    return constant_time_compare(token.strip(), settings.METRICS_TOKEN) and scheme.lower() == "bearer"


class MetricsMiddleware:
    """Answers `GET /metrics`, also under a host name that is not in ALLOWED_HOSTS."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.rstrip("/") != "/metrics" or request.method != "GET":
            return self.get_response(request)
        if not _is_allowed(request.META.get("HTTP_AUTHORIZATION", "")):
            return errors.unauthorized(_REFUSAL)
        encode, content_type = choose_encoder(request.META.get("HTTP_ACCEPT", ""))
        return HttpResponse(encode(registry()), content_type=content_type)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Serve the metrics of a process without a web server, such as the job worker: a WSGI application."""
    if _is_allowed(environ.get("HTTP_AUTHORIZATION", "")):
        answer: Iterable[bytes] = make_wsgi_app(registry())(environ, start_response)
        return answer
    refusal = errors.unauthorized(_REFUSAL)
    start_response("401 Unauthorized", list(refusal.items()))
    return [refusal.content]


class _Handler(WSGIRequestHandler):
    """Logs no request and closes a connection that stays silent."""

    timeout = 5

    def log_message(self, *args: Any) -> None:
        pass


def serve(host: str, port: int) -> WSGIServer:
    """Serve the metrics on a port (0: a free one) from daemon threads; raises OSError when the port is in use."""

    class Server(ThreadingWSGIServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    server = make_server(host, port, application, Server, handler_class=_Handler)
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
