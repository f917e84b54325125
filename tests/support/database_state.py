"""The state of the database: a digest of each table, to see whether a request left a trace."""

from functools import cache

from django.db import connection


@cache
def tables() -> list[str]:
    """Return the tables that hold what requests write; what libraries note for themselves is not of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND (tablename = 'procrastinate_jobs'"
            r" OR tablename !~ '^(django|procrastinate)_') ORDER BY tablename"
        )
        return [name for (name,) in cursor.fetchall()]


@cache
def _statement() -> str:
    # When a key was used last is no trace.
    row = {"accounts_personalapikey": "(to_jsonb(t) - 'last_used_at')::text"}
    each = (
        f"(SELECT md5(string_agg({row.get(name, 't::text')}, '|' ORDER BY {row.get(name, 't::text')})) FROM {name} t)"
        for name in tables()
    )
    return f"SELECT {', '.join(each)}"


def state() -> dict[str, str | None]:
    """Return a digest of the rows of every table."""
    with connection.cursor() as cursor:
        cursor.execute(_statement())
        return dict(zip(tables(), cursor.fetchone(), strict=True))
