"""While `manage.py distribute` moves people to the workers of a cluster, nothing is computed of them.

A statement that reads tables of both kinds is a hundred times slower, and holds up the move of the next table.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import Error, transaction

from core6.database import locks


@contextmanager
def moving() -> Iterator[None]:
    """Be the only one to move people: wait for calculations in progress, and for another move.

    The lock belongs to the session. It is kept when the client is killed, until the statement that moves a table ends.
    """
    locks.MOVING.acquire_for_session()
    try:
        yield
    finally:
        with suppress(Error):  # without a connection there is no lock either
            locks.MOVING.release()


def are_moving() -> bool:
    """Return whether people are being moved, or a move waits to begin."""
    with transaction.atomic():
        return not locks.MOVING.try_acquire_shared()


def keep_in_place() -> None:
    """Delay a move of people until the transaction in progress ends; wait for one that has begun."""
    locks.MOVING.acquire_shared()
