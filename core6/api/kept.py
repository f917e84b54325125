"""Answers that are kept for a revision of their organization, so that what is read again costs one statement.

An answer is used again only for the same key with the same rights, at the same address, while the organization is as it
was. It is kept only where that is provably right: all code between the permission and the renderer would return the
same again (core6.api.repeatable), and every statement that ran reads tables alone whose changes the revision sees, by
functions that return the same for the same rows. Whatever else is answered anew each time.
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
#: A statement that is longer is not looked at, and counts as not watched.
_LONGEST: Final = 20_000
#: Words of SQL that are functions without parentheses, and not the same each time.
_CHANGING: Final = {
    *("current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp"),
    *("current_user", "localtime", "localtimestamp", "session_user"),
}
_OTHERS: Final = """
SELECT relname FROM pg_class WHERE relname = ANY(%(words)s) AND relkind IN ('r', 'p', 'v', 'm', 'f')
AND NOT (relname = ANY(%(watched)s))
UNION ALL SELECT proname FROM pg_proc WHERE proname = ANY(%(functions)s) AND provolatile <> 'i'"""


class Answer(NamedTuple):
    """An answer as it was sent: of which revision, its content and its tag."""

    revision: int
    content: bytes
    tag: str


#: So many bytes of them, each with about what keeping one costs.
_ANSWERS: Final = LRUCache[Hashable, Answer](4 * 2**20, lambda answer: 1_500 + len(answer.content))


def find(place: Hashable, revision: int) -> Answer | None:
    """Return what was answered at a place, if it is of this revision."""
    with _LOCK:
        answer = _ANSWERS.get(place)
    return answer if answer and answer.revision == revision else None


def keep(place: Hashable, answer: Answer) -> None:
    """Keep an answer, unless it is too large."""
    if len(answer.content) <= _LARGEST:
        # What orjson returns takes 8 KB, however short it is.
        short = answer._replace(content=bytes(memoryview(answer.content)))
        with _LOCK:
            _ANSWERS[place] = short


def place_of(view: Any) -> Hashable:
    """Return what decides about an answer beside the rows: who asks, where, and for what; None where it is not kept."""
    access, request = view.access, view.request
    if access.revision is None or view.tenant.organization is not access.organization:
        return None
    # The key is not to stand in memory.
    if type(request.accepted_renderer) is not JSONRenderer or "personal_api_key" in request.META["QUERY_STRING"]:
        return None
    key = access.key
    rights = (access.level, *(tuple(each or ()) for each in (key.scopes, key.scoped_teams, key.scoped_organizations)))
    where = (request.scheme, request.get_host(), request.get_full_path())
    return (type(view), view.action, key.pk, rights, access.organization.pk, access.project_id, where)


@contextmanager
def recorded() -> Iterator[list[str]]:
    """Record the texts of the statements that the block runs."""
    texts: list[str] = []

    def record(execute: Callable[..., Any], sql: str, *given: Any) -> Any:
        texts.append(sql)
        return execute(sql, *given)

    with ExitStack() as stack:
        for each in connections.all(initialized_only=True):
            stack.enter_context(each.execute_wrapper(record))
        yield texts


def are_watched(texts: list[str]) -> bool:
    """Return whether the revision sees every change of what statements return."""
    return all(map(_is_watched, texts))


@lru_cache(1_000)
def _is_watched(sql: str) -> bool:
    """Return whether every word that is the name of a table is a watched one, and of a function an immutable one."""
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
