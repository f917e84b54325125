"""A cache of responses by the revision of their organization: a repeated read costs one statement.

A cached response is used only for the same key with the same rights and the same URL, while the organization is
unchanged. A response is cached only if that is provably correct: all code between the permission and the renderer is
repeatable (core6.api.repeatable), and every statement reads only tables whose changes change the revision, with
immutable functions. All other requests are processed each time.
"""

import re
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache
from threading import Lock
from typing import Any, Final, NamedTuple

from cachetools import LRUCache
from django.db import connection, connections

from core6.api.renderers import JSONRenderer
from core6.revisions.models import watched_tables

_LARGEST: Final = 2**20
_LOCK: Final = Lock()
#: A longer statement is not analysed, and counts as not watched.
_LONGEST: Final = 20_000
#: SQL functions without parentheses that are not immutable.
_CHANGING: Final = {
    *("current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp"),
    *("current_user", "localtime", "localtimestamp", "session_user"),
}
_OTHERS: Final = """
SELECT relname FROM pg_class WHERE relname = ANY(%(words)s) AND relkind IN ('r', 'p', 'v', 'm', 'f')
AND NOT (relname = ANY(%(watched)s))
UNION ALL SELECT proname FROM pg_proc WHERE proname = ANY(%(functions)s) AND provolatile <> 'i'"""


class CachedResponse(NamedTuple):
    """The revision, the content and the tag of a response."""

    revision: int
    content: bytes
    tag: str


#: At most 4 MB, including an estimate of the overhead of each.
_RESPONSES: Final = LRUCache[Hashable, CachedResponse](4 * 2**20, lambda cached: 1_500 + len(cached.content))


def get(key: Hashable, revision: int) -> CachedResponse | None:
    """Return the cached response of a key, if it is of this revision."""
    with _LOCK:
        cached = _RESPONSES.get(key)
    return cached if cached and cached.revision == revision else None


def put(key: Hashable, response: CachedResponse) -> None:
    """Cache a response, unless it is too large."""
    if len(response.content) <= _LARGEST:
        # A copy, since the bytes of orjson take at least 8 KB.
        short = response._replace(content=bytes(memoryview(response.content)))
        with _LOCK:
            _RESPONSES[key] = short


def cache_key(view: Any) -> Hashable:
    """Return everything that a response depends on, except the rows; None if it must not be cached."""
    access, request = view.access, view.request
    if access.revision is None or view.tenant.organization is not access.organization:
        return None
    # The API key must not stay in memory.
    if type(request.accepted_renderer) is not JSONRenderer or "personal_api_key" in request.META["QUERY_STRING"]:
        return None
    key = access.key
    rights = (access.level, *(tuple(each or ()) for each in (key.scopes, key.scoped_teams, key.scoped_organizations)))
    where = (request.scheme, request.get_host(), request.get_full_path())
    return (type(view), view.action, key.pk, rights, access.organization.pk, access.project_id, where)


@contextmanager
def recorded_statements() -> Iterator[list[str]]:
    """Record the SQL of the statements that run in the block."""
    texts: list[str] = []

    def record(execute: Callable[..., Any], sql: str, *given: Any) -> Any:
        texts.append(sql)
        return execute(sql, *given)

    with ExitStack() as stack:
        for each in connections.all(initialized_only=True):
            stack.enter_context(each.execute_wrapper(record))
        yield texts


def are_watched(texts: list[str]) -> bool:
    """Return whether every change of the statements' results changes the revision."""
    return all(map(_is_watched, texts))


@lru_cache(1_000)
def _is_watched(sql: str) -> bool:
    """Return whether all tables that the statement names are watched, and all functions immutable."""
    if len(sql) > _LONGEST:
        return False
    words = {*re.findall(r"\w+", sql.lower()), *re.findall(r'"([^"]+)"', sql)}
    functions = set(re.findall(r'(\w+)"?\s*\(', sql.lower()))
    if words & _CHANGING:
        return False
    with connection.cursor() as cursor:
        given = {"words": list(words), "functions": list(functions), "watched": list(_watched())}
        cursor.execute(_OTHERS, given)
        return cursor.fetchone() is None


@cache
def _watched() -> frozenset[str]:
    return watched_tables()
