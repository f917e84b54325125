"""`manage.py migrate`: Django's own, which refuses the one thing that a cluster would answer with a traceback."""

from typing import Any

from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS

from core6.cluster.plan import refuse_first_migration


class Command(migrate.Command):
    """Brings the database up to date."""

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] == DEFAULT_DB_ALIAS:
            refuse_first_migration()
        super().handle(*args, **options)
