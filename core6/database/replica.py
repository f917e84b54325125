"""Reads on a replica of the database: when they are allowed, and what happens if the replica fails.

A replica always lags a little, so it is read only if its revision of the organization (core6.revisions) equals the
primary's. The revision is part of every transaction that writes rows shown in responses: if both are equal, the replica
has every acknowledged write. So there are neither sticky sessions nor stored WAL positions. Rows read after the
comparison, on the same connection, are of that state or a later one, as on the primary; so REPLICA_URL must be one
server, not several behind a load balancer.

Lists and single objects are read there (core6.api.reads), if every table in their statements has the triggers of the
revision. Everything else is read on the primary: authentication, lists over several organizations, persons, activity,
checks of writes, rate limits, commands, jobs, health.

A promoted replica with its own writes gets revisions that the primary does not have: from then on the organization is
not read there any more. Nothing is ever written there. Equal revisions always mean equal rows.
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
    """The replica lags behind the primary for an organization."""


class Router:
    """Django's database router: reads of the ORM use the database that the current request reads."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return alias()

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, first: Model, second: Model, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db != ALIAS


#: Open while the replica does not respond.
breaker: Final = Breaker()


def alias() -> str:
    """Return the alias of the database for reads at the moment."""
    return ALIAS if _is_reading.get() else DEFAULT_DB_ALIAS


def is_available() -> bool:
    """Return whether there is a replica that has not just failed."""
    return bool(settings.REPLICA_URL) and not breaker.is_open


def attempt(read: Callable[[], T]) -> T | None:
    """Return what `read` returns when it reads on the replica; None if the primary must be read instead.

    That is the case if `read` raises Behind or a database error, such as an unavailable server, a timeout, a statement
    cancelled because of the replay, or a missing column of this release. Other exceptions are passed on.
    """
    token = _is_reading.set(True)
    try:
        connections[ALIAS].close_if_unusable_or_obsolete()
        found = read()
    except Behind:
        return None
    except Error as error:
        if not isinstance(error, DataError):  # an error of the client, not of the replica
            _open_breaker(error)
        return None
    finally:
        _is_reading.reset(token)
    breaker.close()
    return found


def state(organization: UUID) -> int | None:
    """Return the revision of an organization in the database for reads."""
    with connections[alias()].cursor() as cursor:
        cursor.execute(_STATE, [organization])
        number: int | None = cursor.fetchone()[0]
    return number


def check_state(known: int | None, expected: int | None) -> None:
    """Raise Behind unless the replica has a state, and it is the primary's."""
    if known is None or known != expected:
        raise Behind


def _open_breaker(error: Error) -> None:
    with suppress(Error):
        connections[ALIAS].close()
    seconds = breaker.open()
    logger.warning("The replica is not used for %g s: %s", seconds, " ".join(str(error).split()))
