"""Requests by route and status, and their seconds, by django-prometheus; installed only with METRICS_TOKEN."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django_prometheus.middleware import Metrics, PrometheusAfterMiddleware  # type: ignore[import-untyped]  # no types
from django_prometheus.utils import Time  # type: ignore[import-untyped]  # as above

from core6.database.query_counter import query_usage
from core6.observability import metrics
from core6.observability.routes import route_of

#: Of the library's families those that somebody asked for, in whose names its dashboards ask.
_KEPT: Final = (
    "django_http_responses_total_by_status_view_method",
    "django_http_requests_latency_seconds_by_view_method",
)


class Nothing:
    """Stands for a family that is left out."""

    def labels(self, **labels: str) -> "Nothing":
        return self

    def inc(self) -> None:
        pass

    def observe(self, amount: float) -> None:
        pass


class RequestMetrics(Metrics):  # type: ignore[misc]  # a class without types
    """The families of the library that are kept."""

    def register_metric(self, metric_cls: Any, name: str, documentation: str, *given: Any, **more: Any) -> Any:
        if name not in _KEPT:
            return Nothing()
        return super().register_metric(
            metric_cls, name, documentation, *given, registry=metrics.families().registry, **more
        )


class RequestMetricsMiddleware(PrometheusAfterMiddleware):  # type: ignore[misc]  # a class without types
    """The library's middleware, whose `view` is the route, and whose labels no client can make up."""

    metrics_cls = RequestMetrics

    def __call__(self, request: HttpRequest) -> HttpResponse:
        before = query_usage()
        response: HttpResponse = super().__call__(request)
        metrics.observe_statements("request", query_usage().since(before))
        return response

    def process_request(self, request: HttpRequest) -> None:
        request.prometheus_after_middleware_event = Time()  # type: ignore[attr-defined]  # where the library looks

    def process_view(self, request: HttpRequest, *given: Any, **more: Any) -> None:
        """Count nothing before there is an answer."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Count nothing: the answer to it comes by as well."""

    def label_metric(self, metric: Any, request: HttpRequest, response: Any = None, **labels: str) -> Any:
        if "method" in labels:
            labels["method"] = self._method(request)  # the library's own list of them: a client may send any other
        return super().label_metric(metric, request, response, **labels)

    def _get_view_name(self, request: HttpRequest) -> str:
        return route_of(request)
