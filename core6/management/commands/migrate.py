"""`manage.py migrate`: Django's own, which refuses databases that it must not change."""

from typing import Any

from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS

from core6.cluster.plan import refuse_first_migration
from core6.database.ownership import refuse_foreign_database
from core6.management.base import running_database


class Migrate(migrate.Command):
    """Brings a database that runs up to date."""

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] == DEFAULT_DB_ALIAS:
            refuse_foreign_database()
            refuse_first_migration()
        super().handle(*args, **options)


class Command(Migrate):
    """Starts the embedded database first, unless it runs."""

    help = "Bring the database up to date with this release; `serve` and `provision` do so, too."

    def handle(self, *args: Any, **options: Any) -> None:
        with running_database():
            super().handle(*args, **options)
