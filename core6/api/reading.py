"""The fast way of plain lists and retrieves: what a viewset declares, compiled once into statements and a function.

A GET with a bearer key, no body and of query parameters only `limit` and `offset` is answered here by two statements:
who calls where, and the page; by the first alone where nothing changed since the page was made. With a replica the
second goes there, and a retrieve takes two as well (core6.replica). Whatever is not so
plain, or not allowed, or not found, goes the ordinary way of REST framework, which alone knows the texts. Shape and
rows are the declared serializer's and queryset's; what cannot be compiled goes the ordinary way, too. Without this
module everything answers the same, slower.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from functools import cache, cached_property, wraps
from hashlib import blake2b
from threading import Lock
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from cachetools import LRUCache
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import DatabaseError, connection
from django.db.models import BigIntegerField
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils import timezone

from core6 import replica
from core6.accounts import keys, scopes
from core6.accounts.models import User
from core6.api import errors, ids, rate_limits, scoping
from core6.api.authentication import BEARER, CALLER, USE_NOTED_EVERY, note_use
from core6.api.compiled import (
    STAND_IN,
    NotCompilable,
    Representation,
    Row,
    Statement,
    among,
    branches_of,
    count_of,
    page_of,
    sql_of,
)
from core6.api.conditional import is_known, tag_of
from core6.rate_limits.models import count_call
from core6.revisions.models import state_of

logger = logging.getLogger(__name__)
#: Who calls where: a member of the tenant, whose key is not restricted to others.
_CALLER: Final = """
SELECT k.id, k.last_used_at >= %s, k.user_id, m.level, m.organization_id, {revision}
FROM accounts_personalapikey k
JOIN accounts_user u ON u.id = k.user_id AND u.is_active
JOIN accounts_membership m ON m.user_id = k.user_id AND m.organization_id = {organization}
WHERE k.secure_value = %s AND {scopes} AND {teams}
AND (coalesce(cardinality(k.scoped_organizations), 0) = 0 OR m.organization_id = ANY(k.scoped_organizations))"""
_REVISION: Final = state_of("m.organization_id")
_ONE: Final = """
WITH caller AS MATERIALIZED ({caller})
SELECT caller.*, found.* FROM caller JOIN LATERAL ({{}}) found ON true"""
_ALL_TEAMS: Final = "coalesce(cardinality(k.scoped_teams), 0) = 0"
_OF_CALLER: Final = 6
#: So many counts are kept by a plan.
_MOST_COUNTS: Final = 10_000
#: Pages as they were told last, with the revision that they are of: so many bytes of them, each with what keeping one
#: costs; a larger one is not kept.
_PAGES: Final = LRUCache[tuple[Any, ...], tuple[int | None, bytes]](8 * 2**20, lambda page: 500 + len(page[1]))
_LARGEST_PAGE: Final = 2**20
_LOCK: Final = Lock()
#: What the ordinary way would wait for again: the end of a statement, a lock.
_TOO_LONG: Final = ("57014", "55P03")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}|0")


class Plan:
    """How one action of one viewset is answered: its statements, and what makes JSON of their rows."""

    def __init__(self, view: Any) -> None:
        serializer = view.get_serializer_class()(context={})
        queryset = view.filter_queryset(view.get_queryset())
        bare = queryset.select_related(None).prefetch_related(None)
        prefetches = {each.prefetch_to: each.queryset for each in queryset._prefetch_related_lookups}
        self._compiled = Representation(serializer, prefetches)
        columns = self._compiled.columns
        self._serializer = type(serializer)
        self._is_computed = bool(getattr(serializer.Meta, "reads", {}))
        self._volatile = getattr(serializer.Meta, "volatile", ())
        self._headers = {"Allow": ", ".join(view.allowed_methods)}
        self._paginator: Any = view.paginator if view.action == "list" else None
        self._is_uuid = scoping.has_uuids(view)
        self._place = view.tenant_place()
        self._caller = _caller_statement(self._place, view.required_scopes(), _REVISION)
        if self._paginator is None:
            # Who calls and the row, in one.
            rows = bare.filter(pk=view.kwargs["id"]).order_by()
            caller, names = _caller_statement(self._place, view.required_scopes(), "NULL")
            form = _ONE.format(caller=caller)
            known = {name: f"(SELECT {name}_id FROM caller)" for name in ("organization", "user")}
            self._statement = Statement(rows.values_list(*columns), form, names, _OF_CALLER, known)
            page = sql_of(rows.values("pk"))
        else:
            # The page first: what is joined and computed is so for its rows only.
            branches = branches_of(bare)
            page = page_of(branches)
            rows = bare.filter(among(bare.model._meta.pk, page))
            self._total = count_of(branches)
            self._statement = Statement(rows.values_list(*columns))
            self._counting = Statement(rows.annotate(total=self._total).values_list(*columns, "total"))
            self._counts: dict[tuple[Any, ...], int] = {}
        self._rows = rows
        for children in self._compiled.children:
            children.prepare(page)
        #: Another release may make something else of the same rows.
        self._seal = blake2b(self._compiled.text.encode(), digest_size=4).hexdigest()

    def answer(self, request: HttpRequest, kwargs: Mapping[str, str], asked: "Asked") -> HttpResponse | None:
        """Return the answer to a plain GET; None when only the ordinary way knows it."""
        tenant = ids.parse_id(kwargs[self._place], is_uuid=self._place == "organization_id")
        given: dict[str, Any] = {"tenant": tenant, "key": keys.digest(asked.key)}
        given |= {"project": tenant, "since": timezone.now() - USE_NOTED_EVERY}
        if not tenant:
            return None
        return (self._list if self._paginator else self._retrieve)(request, kwargs, asked, given)

    @cached_property
    def _replicated(self) -> Statement:
        """Return the statement of the rows, and of the state that they are of, which is asked of the replica."""
        rows = self._rows.annotate(revision=_state_column())
        return Statement(rows.values_list(*self._compiled.columns, "revision"))

    @cached_property
    def _counting_replicated(self) -> Statement:
        """Return the same with the count behind."""
        rows = self._rows.annotate(revision=_state_column(), total=self._total)
        return Statement(rows.values_list(*self._compiled.columns, "revision", "total"))

    def _calling(self, given: dict[str, Any]) -> "Caller | None":
        """Return who calls, of whom `given` gets the rest."""
        statement, names = self._caller
        with connection.cursor() as cursor:
            cursor.execute(statement, [given[name] for name in names])
            row = cursor.fetchone()
        if row is None:
            return None
        caller = Caller(*row)
        given |= {"organization": caller.organization, "user": caller.user}
        return caller

    def _on_replica(self, statement: Statement, caller: "Caller", given: Mapping[str, Any]) -> Sequence[Any]:
        """Return rows of the replica; raises Behind where they are of another state than the primary's, or none."""
        rows = statement.run(given)
        place = len(self._compiled.columns)
        replica.check_state(rows[0][place] if rows else None, caller.revision)
        return rows

    def _retrieve(
        self, request: HttpRequest, kwargs: Mapping[str, str], asked: "Asked", given: dict[str, Any]
    ) -> HttpResponse | None:
        key = ids.parse_id(kwargs["id"], is_uuid=self._is_uuid)
        if not key:
            return None
        given |= {"uuid": key, "number": key}
        found = (self._one_of_replica(given) if replica.is_asked() else None) or self._one(given)
        if found is None:
            return None
        caller, body = found
        named = kwargs.get("organization_id")
        if named and ids.parse_uuid(named) != caller.organization:
            return None
        tag = tag_of(body, self._serializer.Meta)
        return self._told(None if is_known(tag, request) else _json(body), tag, caller, request)

    def _one(self, given: dict[str, Any]) -> "tuple[Caller, dict[str, Any]] | None":
        rows = self._statement.run(given)
        if not rows:
            return None
        caller = Caller(*rows[0][:_OF_CALLER])
        given |= {"organization": caller.organization, "user": caller.user}
        (body,) = self._made([rows[0][_OF_CALLER:]], caller, given, Row(None, pk=given["number"]))
        return caller, body

    def _one_of_replica(self, given: dict[str, Any]) -> "tuple[Caller, dict[str, Any]] | None":
        caller = self._calling(given)
        if caller is None:
            return None

        def read() -> dict[str, Any]:
            rows = self._on_replica(self._replicated, caller, given)
            (body,) = self._made(rows, caller, given, Row(None, pk=given["number"]))
            return body

        body = replica.attempt(read)
        return (caller, body) if body else None

    def _list(
        self, request: HttpRequest, kwargs: Mapping[str, str], asked: "Asked", given: dict[str, Any]
    ) -> HttpResponse | None:
        caller = self._calling(given)
        if caller is None:
            return None
        tag = f'W/"{caller.revision or 0:x}.{self._seal}"'
        if is_known(tag, request):
            return self._told(None, tag, caller, request)
        limit = min(asked.limit or self._paginator.default_limit, self._paginator.max_limit)
        address = request.build_absolute_uri(request.path)
        place = (address, caller.user, limit, asked.offset)
        with _LOCK:
            revision, content = _PAGES.get(place, (None, b""))
        if not content or revision != caller.revision:
            given |= {"limit": limit, "offset": asked.offset, "end": asked.offset + limit}
            body = replica.attempt(lambda: self._page(address, caller, given, True)) if replica.is_asked() else None
            body = body or self._page(address, caller, given, False)
            if body is None:
                return None
            content = _json(body)
            if len(content) <= _LARGEST_PAGE and not self._volatile:
                with _LOCK:
                    _PAGES[place] = (caller.revision, content)
        return self._told(content, tag, caller, request)

    def _page(
        self, address: str, caller: "Caller", given: Mapping[str, Any], is_on_replica: bool
    ) -> dict[str, Any] | None:
        """Return a page as LimitOffsetPagination makes it; the count is that of the revision, if it is known."""
        place = (given["tenant"], caller.revision)
        count = self._counts.get(place)
        if is_on_replica:
            rows = self._on_replica(self._replicated if count is not None else self._counting_replicated, caller, given)
        else:
            rows = (self._counting if count is None else self._statement).run(given)
        if count is None:
            if not rows and given["offset"]:
                return None
            count = rows[0][-1] if rows else 0
            if len(self._counts) >= _MOST_COUNTS:
                self._counts.clear()
            self._counts[place] = count
        limit, offset = given["limit"], given["offset"]
        after, before = offset + limit, offset - limit
        links: dict[str, str | None] = {"next": None, "previous": None}
        if after < count:
            links["next"] = f"{address}?limit={limit}&offset={after}"
        if offset > 0:
            rest = f"&offset={before}" if before > 0 else ""
            links["previous"] = f"{address}?limit={limit}{rest}"
        return {"count": count, **links, "results": self._made(rows, caller, given)}

    def _made(
        self, rows: Sequence[Any], caller: "Caller", given: Mapping[str, Any], instance: Row | None = None
    ) -> list[dict[str, Any]]:
        children = [each.run(given) for each in self._compiled.children] if rows else ()
        serializer = None
        if self._is_computed:
            serializer = self._serializer(context={"level": caller.level, "user": Row(User, pk=caller.user)})
            serializer.instance = instance
        make = self._compiled.make
        return [make(row, serializer, children) for row in rows]

    def _told(self, content: bytes | None, tag: str, caller: "Caller", request: HttpRequest) -> HttpResponse | None:
        """Return the answer, 304 where there is nothing to tell; None to a caller who has called too often."""
        used = count_call(caller.api_key, settings.RATE_LIMITS) if settings.RATE_LIMITS else ()
        if any(use.is_over for use in used):
            request.META[rate_limits.COUNTED] = used
            return None
        if not caller.is_noted:
            note_use(caller.api_key)
        request.META[CALLER] = caller.user
        headers = {**self._headers, "ETag": tag}
        response = (
            HttpResponseNotModified(headers=headers)
            if content is None
            else HttpResponse(content, content_type="application/json", headers=headers)
        )
        if used:
            rate_limits.tell(response, used)
        return response


def _json(body: Any) -> bytes:
    return orjson.dumps(body, default=str, option=orjson.OPT_UTC_Z)


class Asked(NamedTuple):
    """What a plain GET says: the key, and of the query `limit` (0: none) and `offset`."""

    key: str
    limit: int
    offset: int


class Caller(NamedTuple):
    """Who calls where; `revision` is the state of everything that answers about the organization show."""

    api_key: str
    is_noted: bool | None
    user: int
    level: int
    organization: UUID
    revision: int | None


def with_fast_reads(ordinary: Any) -> Any:
    """Return a view that answers plain reads itself and leaves the rest to `ordinary`, a viewset's."""
    action = ordinary.actions.get("get")
    if action not in ("list", "retrieve"):
        return ordinary
    plan = cache(lambda: _plan(ordinary.cls, ordinary.actions))

    @wraps(ordinary)
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        asked = _asked(request)
        answer = None
        try:
            if asked and (found := plan()):
                answer = found.answer(request, kwargs, asked)
        except orjson.JSONEncodeError:
            pass  # a number beyond 64 bits
        except DatabaseError as error:
            if getattr(error.__cause__, "sqlstate", None) in _TOO_LONG:
                logger.warning("A read took too long: %s", error)
                return errors.unavailable()
            # Perhaps it was restarted: the ordinary way tries once more, on another connection.
            logger.warning("A read is tried again: %s", error)
            connection.close_if_unusable_or_obsolete()
        except Exception:
            logger.exception("A read goes the ordinary way")
        if answer is not None:
            return answer
        return ordinary(request, *args, **kwargs)

    return view


def _plan(view_class: Any, actions: Mapping[str, str]) -> Plan | None:
    """Compile what GET does in a viewset of these actions by method; None when it cannot be."""
    action = actions["get"]
    if not issubclass(view_class, scoping.TenantScopedViewSet):
        return None
    view = scoping.stand_in(view_class, action, "GET")
    if view.tenant_place() is None:
        return None
    for method, name in {**actions, "head": action}.items():
        setattr(view, method, getattr(view, name))
    try:
        return Plan(view)
    except (NotCompilable, FieldError, KeyError):
        return None


def _asked(request: HttpRequest) -> Asked | None:
    """Return what a GET asks for when it is as plain as this module takes it."""
    if request.method not in ("GET", "HEAD"):
        return None
    meta = request.META
    header = BEARER.fullmatch(meta.get("HTTP_AUTHORIZATION", "").strip())
    accept = meta.get("HTTP_ACCEPT", "*/*")
    is_json = ";" not in accept and ("*/*" in accept or "application/json" in accept)
    has_body = meta.get("CONTENT_LENGTH") not in (None, "", "0") or "HTTP_TRANSFER_ENCODING" in meta
    if not header or not is_json or has_body:
        return None
    told = {"limit": 0, "offset": 0}
    query = meta.get("QUERY_STRING", "")
    for part in query.split("&") if query else ():
        name, _, text = part.partition("=")
        if told.get(name, 1) or not _NUMBER.fullmatch(text):
            return None
        told[name] = int(text)
    return Asked(header[1], **told)


def _state_column() -> RawSQL:
    return RawSQL(state_of("%s"), [STAND_IN["organization"]], output_field=BigIntegerField())  # noqa: S611  # bound


def _caller_statement(place: str, needed: Sequence[str], revision: str) -> tuple[str, list[str]]:
    """Return the statement of who calls for a part of the URL that names the tenant, and the names of its places."""
    held = " AND ".join(
        f"k.scopes::text[] && ARRAY[{', '.join(repr(each) for each in sorted(scopes.granting(scope)))}]"
        for scope in needed
    )
    form = {"revision": revision, "scopes": held, "organization": "%s", "teams": _ALL_TEAMS}
    if place == "organization_id":
        return _CALLER.format(**form), ["since", "tenant", "key"]
    form["organization"] = "(SELECT organization_id FROM projects_project WHERE id = %s)"
    form["teams"] = f"({_ALL_TEAMS} OR %s = ANY(k.scoped_teams))"
    return _CALLER.format(**form), ["since", "tenant", "key", "project"]
