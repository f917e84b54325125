"""Metrics of the job queue and its workers, read from the database for each request of Prometheus."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from core6.database.probe import Probe

PATIENCE_SECONDS = 1.0
_JOBS: Final = "SELECT task_name, status::text, count(*) FROM procrastinate_jobs GROUP BY 1, 2 ORDER BY 1, 2"
#: A job that waits for another one of its lock may not start yet. Of a long queue the first ones are the oldest.
_WAITING: Final = """
SELECT coalesce(max(extract(epoch FROM now() - greatest(scheduled_at,
    (SELECT max(at) FROM procrastinate_events WHERE job_id = waiting.id)))), 0)::float8
FROM (
    SELECT id, scheduled_at FROM procrastinate_jobs AS job WHERE status = 'todo'
    AND coalesce(scheduled_at, now()) <= now() AND NOT EXISTS (
        SELECT FROM procrastinate_jobs AS other WHERE other.lock = job.lock AND other.status = 'doing'
    ) ORDER BY id LIMIT 100
) AS waiting"""
_WORKERS: Final = "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %s)"


class Queue(NamedTuple):
    """How many jobs of which task and status, the age of the oldest that may start, and how many workers live."""

    jobs: list[tuple[str, str, int]]
    waiting_seconds: float
    workers: int


class QueueCollector(Collector):
    """Reads the queue; when the database does not answer in time, only `core6_database_up 0` is reported."""

    def __init__(self) -> None:
        self._probe = Probe(_look, seconds=PATIENCE_SECONDS, name="metrics")

    def collect(self) -> Iterator[Metric]:
        queue = self._probe.result()
        yield GaugeMetricFamily("core6_database_up", "Whether the database answers.", value=float(queue is not None))
        if queue is None:
            return
        jobs = GaugeMetricFamily("core6_jobs", "Jobs in the queue, by task and status.", labels=["task", "status"])
        for task, status, count in queue.jobs:
            jobs.add_metric([task, status], count)
        yield jobs
        yield GaugeMetricFamily(
            "core6_job_oldest_waiting_seconds",
            "Seconds that the oldest job which may start now has waited.",
            value=queue.waiting_seconds,
        )
        yield GaugeMetricFamily("core6_job_workers", "Job workers with a recent heartbeat.", value=queue.workers)


def _look() -> Queue:
    with transaction.atomic(), connection.cursor() as cursor:

        def rows(statement: str, given: Any = None) -> list[tuple[Any, ...]]:
            cursor.execute(statement, given)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

        rows("SELECT set_config('statement_timeout', %s, true)", [f"{PATIENCE_SECONDS}s"])
        jobs = [(task, status, count) for task, status, count in rows(_JOBS)]
        return Queue(jobs, rows(_WAITING)[0][0], rows(_WORKERS, [settings.DEAD_WORKER_SECONDS])[0][0])
