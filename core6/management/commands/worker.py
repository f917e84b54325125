"""`manage.py worker`: run jobs, as the worker of `serve` does, on whatever machine."""

import asyncio
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.exceptions import ConnectorException


class Command(BaseCommand):
    """Runs until it is asked to stop; a job that runs then is finished, or given back."""

    help = "Run the job worker alone, until Ctrl-C or SIGTERM; the database must be up to date."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        assert isinstance(app.connector, DjangoConnector)
        # Frozen in a transaction, it would keep its locks from whoever takes its jobs over.
        limit = f"-c idle_in_transaction_session_timeout={settings.DEAD_WORKER_SECONDS:.0f}s"
        given = settings.DATABASES["default"]["OPTIONS"]
        given["options"] = f"{given.get('options', '')} {limit}".strip()
        try:
            with app.replace_connector(app.connector.get_worker_connector()):
                asyncio.run(_work())
        except ConnectorException as error:
            cause = error.__cause__ or error
            raise CommandError(f"the database cannot be reached: {' '.join(str(cause).split())}") from error


async def _work() -> None:
    async with app.open_async():
        await app.run_worker_async()
