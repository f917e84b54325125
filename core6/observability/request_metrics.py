"""Requests by route and status, and their seconds; installed only with METRICS_TOKEN."""

import time
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from core6.database.query_counter import query_usage
from core6.observability import metrics
from core6.observability.routes import route_of

#: A client may send any other method, and each would be a label for ever.
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH"))


class RequestMetricsMiddleware:
    """Counts each request by its route, its method and the status of its answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started, before = time.perf_counter(), query_usage()
        response = self.get_response(request)
        method = request.method if request.method in _METHODS else "<invalid method>"
        labels = {"view": route_of(request), "method": method}
        families = metrics.families()
        families.responses.labels(status=str(response.status_code), **labels).inc()
        families.request_seconds.labels(**labels).observe(time.perf_counter() - started)
        metrics.observe_statements("request", query_usage().since(before))
        return response
