"""While `manage.py distribute` moves people to the workers of a cluster, nothing is computed of them.

A statement that reads tables of both kinds is a hundred times slower, and holds up the move of the next table.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from django.db import Error, connection, transaction

_LOCK: Final = "hashtextextended('core6.analytics.moving', 0)"


@contextmanager
def moving() -> Iterator[None]:
    """Be the only one to move people: wait for the calculations that run, and for a move that runs.

    The lock is the session's. It is kept when the client is killed, until the statement that moves a table has ended.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({_LOCK})")
    try:
        yield
    finally:
        with suppress(Error), connection.cursor() as cursor:  # without a connection there is no lock either
            cursor.execute(f"SELECT pg_advisory_unlock({_LOCK})")


def are_moving() -> bool:
    """Return whether people are being moved, or somebody waits to move them."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT NOT pg_try_advisory_xact_lock_shared({_LOCK})")
        return bool(cursor.fetchone()[0])


def keep_in_place() -> None:
    """Let people be moved only after the transaction in progress; wait for a move that runs."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock_shared({_LOCK})")
