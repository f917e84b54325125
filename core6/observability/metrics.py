"""What is counted for Prometheus; without METRICS_TOKEN nothing is, and nothing of the library is loaded."""

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from django.conf import settings

from core6.database.query_counter import QueryUsage

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Histogram

#: Requests take milliseconds; one whose statement is given up, 15 s.
_REQUEST_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)
_CALCULATION_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Families(NamedTuple):
    """What this process counts; where there are several, each has a file that the others read."""

    registry: "CollectorRegistry"
    responses: "Counter"
    request_seconds: "Histogram"
    statements: "Counter"
    statement_seconds: "Counter"
    calculation_seconds: "Histogram"
    events: "Counter"


@cache
def families() -> Families:
    """Return what is counted; only with a METRICS_TOKEN."""
    from prometheus_client import CollectorRegistry, Counter, Histogram  # noqa: PLC0415  # see the module's docstring

    registry = CollectorRegistry()
    return Families(
        registry,
        # The names and labels of django-prometheus: dashboards for Django use them.
        Counter(
            "django_http_responses_total_by_status_view_method",
            "Count of responses by status, view, method.",
            ["status", "view", "method"],
            registry=registry,
        ),
        Histogram(
            "django_http_requests_latency_seconds_by_view_method",
            "Histogram of request processing time labelled by view.",
            ["view", "method"],
            buckets=_REQUEST_SECONDS,
            registry=registry,
        ),
        Counter("core6_sql_statements_total", "SQL statements, by what sent them.", ["source"], registry=registry),
        Counter("core6_sql_seconds_total", "Seconds that SQL statements took.", ["source"], registry=registry),
        Histogram(
            "core6_cohort_calculation_seconds",
            "Seconds that calculations of cohorts took, by what became of them: success, or the code of the error.",
            ["outcome"],
            buckets=_CALCULATION_SECONDS,
            registry=registry,
        ),
        Counter("core6_events_total", "Events received, by what became of them.", ["result"], registry=registry),
    )


def observe_statements(source: str, used: QueryUsage) -> None:
    """Count the statements of a request or of a job (`source`), and their seconds."""
    if settings.METRICS_TOKEN and used.statements:
        families().statements.labels(source).inc(used.statements)
        families().statement_seconds.labels(source).inc(used.seconds)


def observe_calculation(outcome: str, seconds: float) -> None:
    """Count a calculation of a cohort by its outcome: success, or the code of its error."""
    if settings.METRICS_TOKEN:
        families().calculation_seconds.labels(outcome).observe(seconds)


def observe_events(*, received: int, stored: int) -> None:
    """Count the events of a request: stored ones, and those that were stored before."""
    if settings.METRICS_TOKEN:
        families().events.labels("stored").inc(stored)
        families().events.labels("known").inc(received - stored)
