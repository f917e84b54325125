"""Whether the connected database is one of Core6."""

from typing import Final

from django.core.management import CommandError
from django.db import connection

#: Every database of Core6 has it.
_FIRST_MIGRATION: Final = ("accounts", "0001_initial")


def refuse_foreign_database() -> None:
    """Refuse a database that is not empty and is not of Core6, such as that of the application under test."""
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        if not tables:
            return
        if "django_migrations" in tables:
            cursor.execute("SELECT 1 FROM django_migrations WHERE app = %s AND name = %s", _FIRST_MIGRATION)
            if cursor.fetchone():
                return
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
            if not cursor.fetchone() and tables == {"django_migrations"}:
                return  # the first migration was interrupted
    name = connection.settings_dict["NAME"]
    raise CommandError(f"the database {name} belongs to another application: give Core6 an empty database of its own")
