"""The fast way of plain lists and retrieves: what a viewset declares, compiled once into statements and a function.

A GET with a bearer key, no body and of query parameters only `limit` and `offset` is answered here by two statements:
who calls where, and the page. Whatever is not so plain, or not allowed, or not found, goes the ordinary way of REST
framework, which alone knows the texts. Shape and rows are the declared serializer's and queryset's; what cannot be
compiled goes the ordinary way, too. Without this module everything answers the same, slower.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from inspect import getattr_static
from types import SimpleNamespace
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from django.core.exceptions import FieldError
from django.db import DatabaseError, connection
from django.db.models import BooleanField, QuerySet, UUIDField
from django.db.models.expressions import RawSQL
from django.db.models.sql.where import AND, OR, WhereNode
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from rest_framework import fields, relations, serializers

from core6.accounts import keys, scopes
from core6.accounts.models import Level, Organization, PersonalAPIKey, User
from core6.api import scoping
from core6.api.authentication import BEARER, USE_NOTED_EVERY

_CALLER: Final = """
SELECT k.scopes, k.scoped_teams, k.scoped_organizations, k.last_used_at, k.user_id, m.level, m.organization_id
FROM accounts_personalapikey k
JOIN accounts_user u ON u.id = k.user_id AND u.is_active
JOIN accounts_membership m ON m.user_id = k.user_id AND m.organization_id = {organization}
WHERE k.secure_value = %s"""
_IN_ORGANIZATION: Final = _CALLER.format(organization="%s")
_IN_PROJECT: Final = _CALLER.format(organization="(SELECT organization_id FROM projects_project WHERE id = %s)")
#: Stand in a statement that is being compiled for what each request fills in.
_PLACES: Final[Mapping[Any, str]] = {
    UUID(int=0x6C6F6F6B_0000_7000_8000_000000000001): "organization",
    UUID(int=0x6C6F6F6B_0000_7000_8000_000000000002): "uuid",
    2**62 + 11: "project",
    2**62 + 12: "number",
    2**62 + 13: "user",
    1_000_000_007: "limit",
    1_000_000_009: "offset",
    1_000_000_021: "end",
}
_STAND_IN: Final = {name: value for value, name in _PLACES.items()}
_PAGE_PLACES = re.compile("|".join(["%s", *(str(_STAND_IN[name]) for name in ("limit", "offset", "end"))]))
#: Fields whose JSON is the value of their column.
_PLAIN: Final = (
    *(fields.CharField, fields.IntegerField, fields.BooleanField, fields.UUIDField, fields.DateTimeField),
    *(fields.ChoiceField, fields.JSONField, fields.DictField, relations.PrimaryKeyRelatedField),
)
_NUMBER = re.compile(r"[1-9][0-9]{0,8}|0")


class NotCompilable(Exception):
    """A field or a view does something that this module does not know."""


class Row:
    """The columns of a row as attributes, with the properties of their model: what a computed field is given."""

    def __init__(self, model: Any, **columns: Any) -> None:
        self.__dict__.update(columns, _model=model)

    def __getattr__(self, name: str) -> Any:
        found = getattr_static(self._model, name)
        return found.fget(self) if isinstance(found, property) and found.fget else found


class Statement:
    """A query compiled once; each run fills in its places."""

    def __init__(self, queryset: QuerySet[Any]) -> None:
        compiler = queryset.query.get_compiler(connection=connection)
        text, values = compiler.as_sql()
        self._converters = compiler.get_converters([each[0] for each in compiler.select])
        self._compiler = compiler
        self._values: list[Any] = []
        rest = iter(values)

        def place(found: re.Match[str]) -> str:
            self._values.append(next(rest) if found[0] == "%s" else int(found[0]))
            return "%s"

        self._text = _PAGE_PLACES.sub(place, text)
        self._places = [_PLACES.get(value) if isinstance(value, int | UUID) else None for value in self._values]

    def run(self, given: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Return the rows with the given values in their places."""
        values = [given[place] if place else value for place, value in zip(self._places, self._values, strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(self._text, values)
            rows = cursor.fetchall()
        return list(self._compiler.apply_converters(rows, self._converters)) if self._converters else rows


class Representation:
    """A serializer compiled to the columns that it needs and to the text of a function that makes its JSON of them."""

    def __init__(self, serializer: serializers.Serializer[Any], prefetches: Mapping[str, QuerySet[Any]]) -> None:
        self.columns: list[str] = []
        self.children: list[Children] = []
        self._constants: list[Any] = []
        self._prefetches = prefetches
        text = self._object(serializer, "", "s")
        #: Takes the columns, the root serializer, and the rows of children by the key of their parent.
        self.make = eval(f"lambda r, s, k: {text}", {"c": self._constants})  # noqa: S307  # of names of fields alone

    def _object(self, serializer: Any, prefix: str, instance: str) -> str:
        reads = getattr(serializer.Meta, "reads", {})
        parts = [
            f"{name!r}: {self._field(field, name, prefix, instance, reads.get(name))}"
            for name, field in serializer.fields.items()
            if not field.write_only
        ]
        return "{" + ", ".join(parts) + "}"

    def _field(self, field: Any, name: str, prefix: str, instance: str, reads: Sequence[str] | None) -> str:
        column = prefix + (field.source or name).replace(".", "__")
        if isinstance(field, serializers.ListSerializer):
            return self._many(field, column)
        if isinstance(field, serializers.Serializer):
            inner = self._object(field, f"{column}__", self._constant(field))
            return f"(None if r[{self._column(f'{column}__pk')}] is None else {inner})"
        if reads is not None:
            return self._computed(field, name, prefix, instance, reads)
        if type(field).get_attribute is not fields.Field.get_attribute and not isinstance(field, _PLAIN):
            raise NotCompilable(name)
        if isinstance(field, serializers.SerializerMethodField) or field.source == "*":
            raise NotCompilable(name)
        value = f"r[{self._column(column)}]"
        if isinstance(field, _PLAIN):
            return value
        return f"(None if {value} is None else {self._constant(field.to_representation)}({value}))"

    def _computed(self, field: Any, name: str, prefix: str, instance: str, reads: Sequence[str]) -> str:
        """Return a call of what computes a field, with a row of the columns that its serializer says it reads."""
        model = field.parent.Meta.model
        places = {read: self._column(prefix + read) for read in reads}
        if isinstance(field, serializers.SerializerMethodField):
            compute, row = f"{instance}.{field.method_name}", self._constant(_row_maker(model, places))
            return f"{compute}({row}(r))"
        represent = self._constant(_attribute_reader(field, _row_maker(model, places)))
        return f"{represent}(r)"

    def _many(self, field: Any, column: str) -> str:
        related = field.child.Meta.model._default_manager.all()
        self.children.append(Children(field, column, self._prefetches.get(column, related)))
        return f"k[{len(self.children) - 1}].get(r[{self._column('pk')}], [])"

    def _column(self, name: str) -> int:
        if name not in self.columns:
            self.columns.append(name)
        return self.columns.index(name)

    def _constant(self, value: Any) -> str:
        self._constants.append(value)
        return f"c[{len(self._constants) - 1}]"


class Children:
    """The related rows that each row of a page lists, read by one more statement."""

    def __init__(self, field: Any, relation: str, queryset: QuerySet[Any]) -> None:
        self._field = field.child
        self._parent = field.parent.Meta.model._meta.get_field(relation).field
        self._queryset = queryset
        self._compiled = Representation(field.child, {})

    def prepare(self, page: tuple[str, Sequence[Any]]) -> None:
        columns = [*self._compiled.columns, self._parent.attname]
        self._statement = Statement(self._queryset.filter(_among(self._parent, page)).values_list(*columns))

    def run(self, given: Mapping[str, Any]) -> dict[Any, list[dict[str, Any]]]:
        found: dict[Any, list[dict[str, Any]]] = {}
        for row in self._statement.run(given):
            found.setdefault(row[-1], []).append(self._compiled.make(row, self._field, ()))
        return found


def _sql(queryset: QuerySet[Any], form: str) -> tuple[str, Sequence[Any]]:
    """Return the text of a query in its place in another's, and its values."""
    text, values = queryset.query.sql_with_params()
    return form.format(text), values


def _branches(queryset: QuerySet[Any]) -> list[QuerySet[Any]]:
    """Return a queryset in pieces that have no row in common where its scope is an OR, which no index has in order."""
    ors = [i for i, each in enumerate(queryset.query.where.children) if getattr(each, "connector", "") == OR]
    if len(ors) != 1:
        return [queryset]
    place = ors[0]
    pieces: Any = queryset.query.where.children[place].children  # type: ignore[union-attr]  # a node, as it has OR
    found = []
    for i, piece in enumerate(pieces):
        branch = queryset.all()
        others = [WhereNode([each.clone()], AND, negated=True) for each in map(_as_node, pieces[:i])]
        branch.query.where.children[place] = WhereNode([piece, *others], AND)
        found.append(branch)
    return found


def _as_node(condition: Any) -> WhereNode:
    return WhereNode([condition], AND)


def _page_of(branches: Sequence[QuerySet[Any]]) -> tuple[str, Sequence[Any]]:
    """Return the statement of the keys of a page: of each branch as many as reach its end, then of all its own."""
    start, size, end = (_STAND_IN[name] for name in ("offset", "limit", "end"))
    if len(branches) == 1:
        return _sql(branches[0].values("pk")[start : start + size], "{}")
    order = [(name.lstrip("-"), " DESC" if name[0] == "-" else "") for name in map(str, branches[0].query.order_by)]
    names = [name for name, _ in order]
    parts = [_sql(each.values_list("pk", *names)[:end], "({})") for each in branches]
    text = " UNION ALL ".join(text for text, _ in parts)
    by = ", ".join(f'"{name}"{direction}' for name, direction in order)
    page = f"SELECT pk FROM ({text}) page ORDER BY {by} LIMIT {size} OFFSET {start}"  # noqa: S608  # Django's own text
    return page, [value for _, values in parts for value in values]


def _among(field: Any, page: tuple[str, Sequence[Any]]) -> RawSQL:
    """Return the condition that a column is one of the keys of a page, which are found first, whatever is planned."""
    text, values = page
    place = f'"{field.model._meta.db_table}"."{field.column}"'
    return RawSQL(f"{place} = ANY(ARRAY({text}))", values, output_field=BooleanField())  # noqa: S611  # as above


def _row_maker(model: Any, places: Mapping[str, int]) -> Callable[[Sequence[Any]], Any]:
    """Return what makes a Row of a row's columns; `organization__default_role_id` is an attribute of an attribute."""
    plain = [(name, place) for name, place in places.items() if "__" not in name]
    nested = [(name.split("__", 1), place) for name, place in places.items() if "__" in name]

    def make(row: Sequence[Any]) -> Row:
        made: dict[str, Any] = {name: row[place] for name, place in plain}
        for (outer, inner), place in nested:
            setattr(made.setdefault(outer, SimpleNamespace()), inner, row[place])
        return Row(model, **made)

    return make


def _attribute_reader(field: Any, make: Callable[[Sequence[Any]], Any]) -> Callable[[Sequence[Any]], Any]:
    def read(row: Sequence[Any]) -> Any:
        value = field.get_attribute(make(row))
        return None if value is None else field.to_representation(value)

    return read


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
        self._headers = {"Allow": ", ".join(view.allowed_methods)}
        self._paginator = view.paginator if view.action == "list" else None
        self._is_uuid = isinstance(queryset.model._meta.pk, UUIDField)
        self.scopes = view.required_scopes()
        self._place = view.tenant_place()
        if self._paginator is None:
            bare = bare.filter(pk=view.kwargs["id"]).order_by()
            self._statement = Statement(bare.values_list(*columns))
            page = _sql(bare.values("pk"), "{}")
        else:
            branches = _branches(bare)
            page = _page_of(branches)
            counts = [_sql(each.order_by().values("pk"), "(SELECT count(*) FROM ({}) counted)") for each in branches]
            total = RawSQL(" + ".join(text for text, _ in counts), [value for _, values in counts for value in values])
            # The page first: what is joined and computed is so for its rows only.
            self._statement = Statement(
                bare.filter(_among(bare.model._meta.pk, page)).annotate(total=total).values_list(*columns, "total")
            )
        for children in self._compiled.children:
            children.prepare(page)

    def answer(self, request: HttpRequest, kwargs: Mapping[str, str], asked: "Asked") -> HttpResponse | None:
        """Return the answer to a plain GET; None when only the ordinary way knows it."""
        caller = _caller(asked.key, self._place, kwargs)
        if caller is None or not all(scopes.grants(caller.scopes, scope) for scope in self.scopes):
            return None
        given: dict[str, Any] = {"organization": caller.organization, "project": caller.project, "user": caller.user}
        if self._paginator is None:
            key = (scoping.parse_uuid if self._is_uuid else scoping.number)(kwargs["id"])
            if key is None:
                return None
            given |= {"uuid": key, "number": key}
        else:
            given["limit"] = min(asked.limit or self._paginator.default_limit, self._paginator.max_limit)
            given["offset"], given["end"] = asked.offset, asked.offset + given["limit"]
        rows = self._statement.run(given)
        if not rows and (self._paginator is None or asked.offset):
            return None
        children = [each.run(given) for each in self._compiled.children]
        serializer = self._serializer(context={"level": caller.level, "user": Row(User, pk=caller.user)})
        if self._paginator is None:
            serializer.instance = Row(None, pk=key)
            body = self._compiled.make(rows[0], serializer, children)
        else:
            found = [self._compiled.make(row, serializer, children) for row in rows]
            body = _page(request, rows[0][-1] if rows else 0, given["limit"], given["offset"], found)
        content = orjson.dumps(body, default=str, option=orjson.OPT_UTC_Z)
        return HttpResponse(content, content_type="application/json", headers=self._headers)


class Asked(NamedTuple):
    """What a plain GET says: the key, and of the query `limit` (0: none) and `offset`."""

    key: str
    limit: int
    offset: int


class Caller(NamedTuple):
    """Who calls where: a member of the tenant, by a key that is not restricted to others."""

    scopes: Sequence[str] | None
    user: int
    level: int
    organization: UUID
    project: int | None


def with_fast_reads(ordinary: Any) -> Any:
    """Return a view that answers plain reads itself and leaves the rest to `ordinary`, a viewset's."""
    action = ordinary.actions.get("get")
    if action not in ("list", "retrieve"):
        return ordinary
    plan = cache(lambda: _plan(ordinary.cls, ordinary.actions))

    @wraps(ordinary)
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        asked = _asked(request)
        if asked and (found := plan()):
            try:
                answer = found.answer(request, kwargs, asked)
            except (DatabaseError, TypeError):
                answer = None  # a database that is away, a number that orjson does not know
            if answer is not None:
                return answer
        return ordinary(request, *args, **kwargs)

    return view


def _plan(view_class: Any, actions: Mapping[str, str]) -> Plan | None:
    """Compile what GET does in a viewset of these actions by method; None when it cannot be."""
    view, action = view_class(), actions["get"]
    view.action, view.detail = action, action == "retrieve"
    if not issubclass(view_class, scoping.TenantScopedViewSet) or view.tenant_place() is None:
        return None
    for method, name in {**actions, "head": action}.items():
        setattr(view, method, getattr(view, name))
    # Whoever is restricted is refused before.
    caller, key = User(pk=_STAND_IN["user"]), PersonalAPIKey()
    view.request = SimpleNamespace(method="GET", user=caller, auth=key, query_params=QueryDict())
    organization = Organization(pk=_STAND_IN["organization"])
    view.tenant = scoping.Tenant(organization, Level.MEMBER, _STAND_IN["project"])
    is_uuid = isinstance(view.queryset.model._meta.pk, UUIDField)
    view.kwargs = {"id": _STAND_IN["uuid" if is_uuid else "number"]}
    try:
        return Plan(view)
    except (NotCompilable, FieldError, KeyError):
        return None


def _asked(request: HttpRequest) -> Asked | None:
    """Return what a GET asks for when it is as plain as this module takes it."""
    meta = request.META
    header = BEARER.fullmatch(meta.get("HTTP_AUTHORIZATION", "").strip())
    accept = meta.get("HTTP_ACCEPT", "*/*")
    is_json = ";" not in accept and ("*/*" in accept or "application/json" in accept)
    has_body = meta.get("CONTENT_LENGTH") not in (None, "", "0") or "HTTP_TRANSFER_ENCODING" in meta
    if request.method != "GET" or not header or not is_json or has_body:
        return None
    told = {"limit": 0, "offset": 0}
    query = meta.get("QUERY_STRING", "")
    for part in query.split("&") if query else ():
        name, _, text = part.partition("=")
        if told.get(name, 1) or not _NUMBER.fullmatch(text):
            return None
        told[name] = int(text)
    return Asked(header[1], **told)


def _caller(key: str, place: str, kwargs: Mapping[str, str]) -> Caller | None:
    """Return who calls, by one statement; None for whoever is refused, for reasons that the ordinary way tells."""
    is_organization = place == "organization_id"
    tenant = (scoping.parse_uuid if is_organization else scoping.number)(kwargs.get(place, ""))
    if tenant is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_IN_ORGANIZATION if is_organization else _IN_PROJECT, [tenant, keys.digest(key)])
        row = cursor.fetchone()
    if row is None:
        return None
    held, teams, organizations, last_used_at, user, level, organization = row
    project = None if is_organization else scoping.number(kwargs[place])
    is_restricted = (teams and project not in teams) or (organizations and organization not in organizations)
    is_to_be_noted = last_used_at is None or last_used_at < timezone.now() - USE_NOTED_EVERY
    if is_restricted or is_to_be_noted:
        return None
    if place == "id" and "organization_id" in kwargs and scoping.parse_uuid(kwargs["organization_id"]) != organization:
        return None
    return Caller(held, user, level, organization, project)


def _page(request: HttpRequest, count: int, limit: int, offset: int, rows: list[Any]) -> dict[str, Any]:
    """Return a page as LimitOffsetPagination makes it."""
    after, before = offset + limit, offset - limit
    links: dict[str, str | None] = {"next": None, "previous": None}
    if after < count:
        links["next"] = request.build_absolute_uri(f"{request.path}?limit={limit}&offset={after}")
    if offset > 0:
        rest = f"&offset={before}" if before > 0 else ""
        links["previous"] = request.build_absolute_uri(f"{request.path}?limit={limit}{rest}")
    return {"count": count, **links, "results": rows}
