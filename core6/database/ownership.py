"""Whether the connected database is one of Core6."""

from typing import Final

from django.core.management import CommandError
from django.db import connection

#: The first migration of all makes this table, which no other application has.
_TABLE: Final = "accounts_personalapikey"


def refuse_foreign_database() -> None:
    """Refuse a database that is not empty and is not of Core6, such as that of the application under test."""
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        if not tables or _TABLE in tables:
            return
        if tables == {"django_migrations"}:
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
            if not cursor.fetchone():
                return  # the first migration was interrupted
    name = connection.settings_dict["NAME"]
    raise CommandError(f"the database {name} belongs to another application: give Core6 an empty database of its own")
