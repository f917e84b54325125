"""The number of statements of this thread, and the seconds that they took (settings.IS_SQL_COUNTED)."""

from typing import NamedTuple, cast

from django.db import connections

from core6.database.backend.base import DatabaseWrapper


class QueryUsage(NamedTuple):
    """A number of statements, and the seconds until the database had responded to them."""

    statements: int
    seconds: float

    def since(self, earlier: "QueryUsage") -> "QueryUsage":
        """Return the difference from an earlier usage."""
        return QueryUsage(self.statements - earlier.statements, self.seconds - earlier.seconds)


def query_usage() -> QueryUsage:
    """Return the usage of this thread's connections so far; zero if statements are not counted."""
    ours = cast("list[DatabaseWrapper]", connections.all(initialized_only=True))
    return QueryUsage(sum(each.statements for each in ours), sum(each.statement_seconds for each in ours))
