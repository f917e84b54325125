"""The project as a Django app, for its management commands."""

from django.apps import AppConfig
from django.conf import settings


class Core6Config(AppConfig):
    name = "core6"

    def ready(self) -> None:
        """In a data directory of `serve --lab`, let rows and criteria have the time of the lab."""
        if settings.IS_LAB:
            from core6.database.timestamps import use_clock  # noqa: PLC0415  # needed in a lab alone
            from core6.lab.clock import now  # noqa: PLC0415

            use_clock(now)
