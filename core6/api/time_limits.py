"""How long the database may compute for one request: a search ends after 2 s, long before other statements do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import OperationalError, connections, transaction

from core6 import replica
from core6.api.exceptions import ServiceUnavailable

SEARCH_SECONDS: Final = 2
_CANCELLED: Final = "57014"


class SearchTooSlow(ServiceUnavailable):
    """A search did not end in time."""

    default_detail = "The search takes too long: search for less, or ask for fewer rows with `limit`."


@contextmanager
def limited_search() -> Iterator[None]:
    """End each statement of the block after SEARCH_SECONDS; raises SearchTooSlow (503)."""
    using = replica.alias()
    try:
        with transaction.atomic(using=using):
            with connections[using].cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = '{SEARCH_SECONDS}s'")
            yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != _CANCELLED:
            raise
        raise SearchTooSlow from error
