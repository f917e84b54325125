"""`manage.py worker`: run jobs, as the worker of `serve` does, on whatever machine."""

import asyncio
import gc
import logging
import signal
import time
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management import CommandError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params
from procrastinate.exceptions import ConnectorException
from procrastinate.psycopg_connector import PsycopgConnector
from psycopg_pool import AsyncNullConnectionPool

from core6.jobs import with_usable_connection
from core6.management.base import CommandBase, unreachable
from core6.observability.job_log import count_statements
from core6.observability.logs import logger_of

logger = logger_of(__name__)
#: A worker that waits longer for a connection begins anew, after a pause.
_CONNECTION_SECONDS = 3.0
_PAUSE_SECONDS = 1.0
_SHORT_PAUSE_SECONDS = 0.02


class Command(CommandBase):
    """Runs until Ctrl-C or SIGTERM; a running job is then finished, or given back."""

    help = "Run the job worker alone, until Ctrl-C or SIGTERM; the database must be up to date."
    has_begun = False
    is_stopping = False
    #: When the database was lost, in seconds of time.monotonic; None while it answers.
    lost_since: float | None = None

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--metrics", metavar="HOST:PORT", help="answer GET /metrics there (needs METRICS_TOKEN)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["metrics"]:
            self._serve_metrics(options["metrics"])
        if not settings.IS_BEHIND_POOLER:
            connection_created.connect(_limit_idle_transactions)
        while not self._has_ended():
            time.sleep(_PAUSE_SECONDS if self._is_lost_for_long() else _SHORT_PAUSE_SECONDS)

    def _has_ended(self) -> bool:
        """Work; return whether a signal ended that, and False when the database was lost or replaced."""
        try:
            with app.replace_connector(_connector()):
                asyncio.run(self._work())
        except ConnectorException as error:
            lost = unreachable(error.__cause__ or error)
            if not self.has_begun:
                raise CommandError(lost) from error
            self.lost_since = self.lost_since or time.monotonic()
            # A database that `reset` replaces is there again within a moment.
            logger.log(logging.WARNING if self._is_lost_for_long() else logging.INFO, "job_worker_waits", reason=lost)
        # Else a connection that was given up while it was made would stay open, which a DROP DATABASE of `reset` would
        # wait for: up to a minute, until Postgres closes it.
        gc.collect()
        return self.is_stopping

    def _is_lost_for_long(self) -> bool:
        return self.lost_since is not None and time.monotonic() - self.lost_since > _PAUSE_SECONDS

    async def _work(self) -> None:
        """Work until a signal; return early when the library gives up, as it does when `reset` cuts its connections."""
        async with app.open_async():
            await app.check_connection_async()
            self.has_begun, self.lost_since = True, None
            work = asyncio.create_task(
                app.run_worker_async(
                    # A pooler does not pass on notifications: then the worker polls each second.
                    listen_notify=not settings.IS_BEHIND_POOLER,
                    task_middleware=[with_usable_connection, *([count_statements] if settings.IS_SQL_COUNTED else [])],
                    install_signal_handlers=False,
                )
            )
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, self._stop, work)
            with suppress(asyncio.CancelledError):
                await work

    def _stop(self, work: "asyncio.Task[None]") -> None:
        self.is_stopping = True
        work.cancel()

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
    # A pool whose connections were all cut makes its clients wait until the timeout (psycopg_pool 3.3). Without one the
    # worker connects for each statement, which costs about 2% of a processor.
    return PsycopgConnector(kwargs=params, timeout=_CONNECTION_SECONDS, pool_factory=AsyncNullConnectionPool)
