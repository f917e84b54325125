"""What the questions about the database share."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections

from core6.diagnosis import integrity
from core6.diagnosis.findings import Finding


def select(statement: str, given: Any = None) -> list[tuple[Any, ...]]:
    """Return the rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def database_name(alias: str = DEFAULT_DB_ALIAS) -> str:
    """Return the name of a database and its host, for people."""
    given = connections[alias].settings_dict
    return f"{given['NAME']} on {given['HOST'] or 'this machine'}"


def integrity_finding(name: str) -> Finding:
    """Return what one check of `verify` finds."""
    (check,) = [each for each in integrity.CHECKS if each.name == name]
    return check.run()
