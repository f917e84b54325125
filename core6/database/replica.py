"""Reads on a replica of the database: which ones may be answered there, and what happens when it cannot answer.

A replica is always a little behind, so a read is answered there only when its state of the organization is the
primary's: the revision of the organization (core6.revisions) is part of every transaction that writes what answers
show, so where the two are equal, the replica has everything that was acknowledged, whoever wrote it. Nobody is bound
to a server for that, and no position of a log is kept. What is read after the comparison, on the same connection, is
of that state or of a later one, as on the primary; so REPLICA_URL names one server, not several that take turns.

Lists and single objects are read there (core6.api.reads), if every table that their statements read has the triggers of
the revision. Whatever else is read stays on the primary: who calls, lists over several organizations, persons, the
activity, what writes check, rate limits, commands, jobs, health.

A replica that was promoted, and takes writes of its own, gets revisions that the primary does not have: from then on
nothing of the organization is read there, and nothing is ever written there. What is of the same revision is the same.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Final, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DataError, Error, connections
from django.db.models import Model

from core6.database.breaker import Breaker
from core6.revisions.models import state_of

T = TypeVar("T")
logger = logging.getLogger(__name__)
ALIAS: Final = "replica"
_STATE: Final = f"SELECT {state_of('%s')}"
_is_reading: ContextVar[bool] = ContextVar("is_reading_on_replica", default=False)


class Behind(Exception):
    """The replica does not have the primary's state of an organization."""


class Router:
    """Django's database router: reads of the ORM go where the request in progress reads."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return alias()

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, first: Model, second: Model, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db != ALIAS


#: Keeps this process from a replica that does not answer.
breaker: Final = Breaker()


def alias() -> str:
    """Return the name of the database that reads go to now."""
    return ALIAS if _is_reading.get() else DEFAULT_DB_ALIAS


def is_asked() -> bool:
    """Tell whether there is a replica, and none that has just failed."""
    return bool(settings.REPLICA_URL) and not breaker.is_open


def attempt(read: Callable[[], T]) -> T | None:
    """Return what `read` returns when it reads on the replica; None when the primary is to be asked instead.

    That is so when `read` raises Behind, or when the database complains: whatever is wrong there (it is away, it took
    too long, it cancelled a statement that was in the way of its replay, it lacks a column of this release), the
    primary knows better. What else `read` raises is raised.
    """
    token = _is_reading.set(True)
    try:
        connections[ALIAS].close_if_unusable_or_obsolete()
        found = read()
    except Behind:
        return None
    except Error as error:
        if not isinstance(error, DataError):  # that is the caller's doing, not the replica's
            _leave_alone(error)
        return None
    finally:
        _is_reading.reset(token)
    breaker.close()
    return found


def state(organization: UUID) -> int | None:
    """Return the revision of an organization where reads go now."""
    with connections[alias()].cursor() as cursor:
        cursor.execute(_STATE, [organization])
        number: int | None = cursor.fetchone()[0]
    return number


def check_state(known: int | None, expected: int | None) -> None:
    """Raise Behind unless a state of the replica is the primary's, and is one at all."""
    if known is None or known != expected:
        raise Behind


def _leave_alone(error: Error) -> None:
    with suppress(Error):
        connections[ALIAS].close()
    seconds = breaker.open()
    logger.warning("The replica is left alone for %g s: %s", seconds, " ".join(str(error).split()))
