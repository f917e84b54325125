"""A lock: while `manage.py distribute` moves persons to the workers of a cluster, no cohort is computed.

A statement on both local and distributed tables is a hundred times slower, and blocks the move of the next table.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from django.db import Error, connection, transaction

_LOCK: Final = "hashtextextended('core6.analytics.moving', 0)"


@contextmanager
def moving() -> Iterator[None]:
    """Hold the lock exclusively: wait for running calculations, and for another move.

    It is a session lock. If the client is killed, it is held until the statement that moves a table has ended.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({_LOCK})")
    try:
        yield
    finally:
        with suppress(Error), connection.cursor() as cursor:  # a closed connection has released the lock
            cursor.execute(f"SELECT pg_advisory_unlock({_LOCK})")


def are_moving() -> bool:
    """Return whether persons are being moved, or a move waits for the lock."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT NOT pg_try_advisory_xact_lock_shared({_LOCK})")
        return bool(cursor.fetchone()[0])


def prevent_moving() -> None:
    """Hold the lock shared until the end of the transaction; wait for a running move."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock_shared({_LOCK})")
