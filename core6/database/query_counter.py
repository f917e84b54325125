"""How many statements this thread has sent to the database, and the seconds they took (settings.IS_SQL_COUNTED)."""

from typing import NamedTuple, cast

from django.db import connections

from core6.database.backend.base import DatabaseWrapper


class Spent(NamedTuple):
    """Statements, and the seconds until the database had answered them."""

    statements: int
    seconds: float

    def since(self, earlier: "Spent") -> "Spent":
        """Return what has come to it since then."""
        return Spent(self.statements - earlier.statements, self.seconds - earlier.seconds)


def spent() -> Spent:
    """Return what this thread's connections have been asked so far; nothing where nobody wants to know."""
    ours = cast("list[DatabaseWrapper]", connections.all(initialized_only=True))
    return Spent(sum(each.statements for each in ours), sum(each.statement_seconds for each in ours))
