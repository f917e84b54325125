"""`manage.py worker`: run jobs, as the worker of `serve` does, on whatever machine."""

import asyncio
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params
from procrastinate.exceptions import ConnectorException
from procrastinate.psycopg_connector import PsycopgConnector

from core6.observability.job_log import count_statements
from core6.observability.logs import logger_of

logger = logger_of(__name__)
#: A worker that waits longer for a connection begins anew, after a pause.
_CONNECTION_SECONDS = 3.0
_PAUSE_SECONDS = 1.0


class Command(BaseCommand):
    """Runs until Ctrl-C or SIGTERM; a running job is then finished, or given back."""

    help = "Run the job worker alone, until Ctrl-C or SIGTERM; the database must be up to date."
    requires_system_checks = ()
    has_begun = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--metrics", metavar="HOST:PORT", help="answer GET /metrics there (needs METRICS_TOKEN)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["metrics"]:
            self._serve_metrics(options["metrics"])
        if not settings.IS_BEHIND_POOLER:
            connection_created.connect(_limit_idle_transactions)
        while not self._has_ended():
            time.sleep(_PAUSE_SECONDS)

    def _has_ended(self) -> bool:
        """Work until a signal; return False when the database went away after the start."""
        try:
            with app.replace_connector(_connector()):
                asyncio.run(self._work())
        except ConnectorException as error:
            lost = f"the database cannot be reached: {' '.join(str(error.__cause__ or error).split())}"
            if not self.has_begun:
                raise CommandError(lost) from error
            logger.warning("job_worker_waits", reason=lost)
            return False
        return True

    async def _work(self) -> None:
        async with app.open_async():
            await app.check_connection_async()
            self.has_begun = True
            await app.run_worker_async(
                # A pooler does not pass on what a session listens for: then the worker asks each second.
                listen_notify=not settings.IS_BEHIND_POOLER,
                task_middleware=[count_statements] if settings.IS_SQL_COUNTED else [],
            )

    def _serve_metrics(self, place: str) -> None:
        if not settings.METRICS_TOKEN:
            raise CommandError("--metrics needs METRICS_TOKEN: set it to a long random text (openssl rand -base64 48)")
        host, _, port = place.rpartition(":")
        if not (host and port.isdecimal()):
            raise CommandError(f"--metrics {place} is no HOST:PORT, such as 127.0.0.1:9100")
        from core6.observability import metrics_endpoint  # noqa: PLC0415  # the library is slow to load

        try:
            server = metrics_endpoint.serve(host.strip("[]"), int(port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CommandError(f"{place} cannot be listened on ({reason}): choose another for --metrics") from error
        self.stdout.write(f"Metrics: http://{host}:{server.server_port}/metrics")
        self.stdout.flush()


def _limit_idle_transactions(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Limit transactions in which a worker froze: they hold locks against the worker that takes over its jobs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, false)",
            [f"{settings.DEAD_WORKER_SECONDS:.0f}s"],
        )


def _connector() -> PsycopgConnector:
    """Return the library's connector for workers; it gives up soon, since the database may have been replaced."""
    params = connector_params()
    if not settings.IS_BEHIND_POOLER:
        limit = f"-c idle_in_transaction_session_timeout={settings.DEAD_WORKER_SECONDS:.0f}s"
        params["options"] = f"{params.get('options', '')} {limit}".strip()
    return PsycopgConnector(kwargs=params, timeout=_CONNECTION_SECONDS)
