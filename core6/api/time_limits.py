"""How long the database may compute for one request: what reads people ends after 2 s, long before other statements."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import OperationalError, connections, transaction

from core6.api.exceptions import ServiceUnavailable
from core6.database import replica
from core6.database.breaker import Breaker
from core6.database.cluster import is_cluster

logger = logging.getLogger(__name__)
SEARCH_SECONDS: Final = 2
_CANCELLED: Final = "57014"


class SearchTooSlow(ServiceUnavailable):
    """A search did not end in time."""

    default_detail = "The search takes too long: search for less, or ask for fewer rows with `limit`."


class PeopleAway(ServiceUnavailable):
    """The machine that holds the people of a project does not answer."""

    default_detail = "The persons of this project cannot be reached at the moment: try again in a few seconds."


#: By project, those whose machine did not answer this process. Each of their requests would hold up the others.
_breakers: Final[dict[int, Breaker]] = {}


@contextmanager
def limited_search() -> Iterator[None]:
    """End each statement of the block after SEARCH_SECONDS; raises SearchTooSlow (503)."""
    with _limited(SearchTooSlow):
        yield


@contextmanager
def limited_people(project_id: int, too_slow: type[ServiceUnavailable] = PeopleAway) -> Iterator[None]:
    """End each statement of the block, about a project's people, after SEARCH_SECONDS; raises `too_slow` (503).

    In a cluster, where the people of other projects are on other machines, the next requests of the project are refused
    at once for a while: PeopleAway.
    """
    breaker = _breakers.get(project_id)
    if breaker and breaker.is_open:
        raise PeopleAway
    try:
        with _limited(too_slow):
            yield
    except too_slow:
        if is_cluster():
            pause = _breakers.setdefault(project_id, Breaker()).open()
            logger.warning("The people of project %s are left alone for %g s: no answer", project_id, pause)
        raise
    _breakers.pop(project_id, None)


@contextmanager
def _limited(refusal: type[ServiceUnavailable]) -> Iterator[None]:
    using = replica.alias()
    try:
        with transaction.atomic(using=using):
            with connections[using].cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = '{SEARCH_SECONDS}s'")
            yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != _CANCELLED:
            raise
        raise refusal from error
