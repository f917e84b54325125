"""Time limits of statements: reads of persons end after 2 s, much earlier than other statements."""

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
    """A search took too long."""

    default_detail = "The search takes too long: search for less, or ask for fewer rows with `limit`."


class PersonsUnavailable(ServiceUnavailable):
    """The machine with the persons of a project does not respond."""

    default_detail = "The persons of this project cannot be reached at the moment: try again in a few seconds."


#: By project, for machines that did not respond: requests that wait for them would block other requests.
breakers: Final[dict[int, Breaker]] = {}


@contextmanager
def limited_search() -> Iterator[None]:
    """End each statement of the block after SEARCH_SECONDS; raises SearchTooSlow (503)."""
    with _limited(SearchTooSlow):
        yield


@contextmanager
def limited_persons(project_id: int, too_slow: type[ServiceUnavailable] = PersonsUnavailable) -> Iterator[None]:
    """End each statement of the block, on a project's persons, after SEARCH_SECONDS; raises `too_slow` (503).

    In a cluster, where persons of other projects are on other machines, further requests of the project are then
    refused immediately for a while (PersonsUnavailable).
    """
    breaker = breakers.get(project_id)
    if breaker and breaker.is_open:
        raise PersonsUnavailable
    try:
        with _limited(too_slow):
            yield
    except too_slow:
        if is_cluster():
            pause = breakers.setdefault(project_id, Breaker()).open()
            logger.warning(
                "Requests for the persons of project %s are refused for %g s: their machine does not respond",
                project_id,
                pause,
            )
        raise
    breakers.pop(project_id, None)


@contextmanager
def _limited(error_class: type[ServiceUnavailable]) -> Iterator[None]:
    using = replica.alias()
    try:
        with transaction.atomic(using=using):
            with connections[using].cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = '{SEARCH_SECONDS}s'")
            yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != _CANCELLED:
            raise
        raise error_class from error
