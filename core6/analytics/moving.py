"""A lock: while `manage.py distribute` moves persons to the workers of a cluster, no cohort is computed.

A statement on both local and distributed tables is a hundred times slower, and blocks the move of the next table.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import Error, transaction

from core6.database import locks


@contextmanager
def moving() -> Iterator[None]:
    """Hold the lock exclusively: wait for running calculations, and for another move.

    It is a session lock. If the client is killed, it is held until the statement that moves a table has ended.
    """
    locks.MOVING.acquire_for_session()
    try:
        yield
    finally:
        with suppress(Error):  # a closed connection has released the lock
            locks.MOVING.release()


def are_moving() -> bool:
    """Return whether persons are being moved, or a move waits for the lock."""
    with transaction.atomic():
        return not locks.MOVING.try_acquire_shared()


def prevent_moving() -> None:
    """Hold the lock shared until the end of the transaction; wait for a running move."""
    locks.MOVING.acquire_shared()
