"""`manage.py worker`: run jobs, as the worker of `serve` does, on whatever machine."""

import asyncio
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
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
    """Runs until it is asked to stop; a job that runs then is finished, or given back."""

    help = "Run the job worker alone, until Ctrl-C or SIGTERM; the database must be up to date."
    requires_system_checks = ()
    has_begun = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--metrics", metavar="HOST:PORT", help="answer GET /metrics there (needs METRICS_TOKEN)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["metrics"]:
            self._tell_metrics(options["metrics"])
        if not settings.IS_BEHIND_POOLER:
            # Frozen in a transaction, it would keep its locks from whoever takes its jobs over.
            limit = f"-c idle_in_transaction_session_timeout={settings.DEAD_WORKER_SECONDS:.0f}s"
            given = settings.DATABASES["default"]["OPTIONS"]
            given["options"] = f"{given.get('options', '')} {limit}".strip()
        while not self._has_ended():
            time.sleep(_PAUSE_SECONDS)

    def _has_ended(self) -> bool:
        """Work until somebody asks for the end; False when the database went away, which it had not at the start."""
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

    def _tell_metrics(self, place: str) -> None:
        if not settings.METRICS_TOKEN:
            raise CommandError("--metrics needs METRICS_TOKEN: set it to a long random text (openssl rand -base64 48)")
        host, _, port = place.rpartition(":")
        if not (host and port.isdecimal()):
            raise CommandError(f"--metrics {place} is no HOST:PORT, such as 127.0.0.1:9100")
        from core6.observability import metrics_endpoint  # noqa: PLC0415  # it loads the library, which nobody else needs

        try:
            server = metrics_endpoint.serve(host.strip("[]"), int(port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CommandError(f"{place} cannot be listened on ({reason}): choose another for --metrics") from error
        self.stdout.write(f"Metrics are told at http://{host}:{server.server_port}/metrics")
        self.stdout.flush()


def _connector() -> PsycopgConnector:
    """Return the connector of the library for workers; it gives up soon: the database may be another one by now."""
    return PsycopgConnector(kwargs=connector_params(), timeout=_CONNECTION_SECONDS)
