"""What is prepared once for an action of a viewset, as far as its own code makes no difference to that."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django.core.exceptions import FieldError
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.permissions import BasePermission
from rest_framework.viewsets import GenericViewSet

from core6.api import kept
from core6.api.compiled_serializers import CompiledSerializer, NotCompilable, Row, is_any_of
from core6.api.page_sizes import fitting, json_columns, part_that_fits
from core6.api.repeatable import OF_VIEWS, is_marked, is_of_framework, overridden, overrides
from core6.database import replica
from core6.database.prepared import ORGANIZATION, PROJECT, Objects, Parameter, Statement, Text, text_of

logger = logging.getLogger(__name__)
#: What a view may override, and its rows are read as columns all the same: it is called.
_CALLED: Final = frozenset(("filter_queryset", "in_scope", "object_id"))
#: What dispatch sets on a view; whatever else of a class is set on its object is not as it was declared.
_SET_BY_DISPATCH: Final = frozenset(
    (
        *("action", "action_map", "args", "basename", "description", "detail", "format_kwarg", "headers", "kwargs"),
        *("name", "project", "request", "response", "suffix", "tenant", "used", *GenericViewSet.http_method_names),
    )
)
_MOST_COUNTS: Final = 10_000
_MOST_ROWS: Final = 2**60
_LIMIT, _OFFSET, _END, _ID = (Parameter(name) for name in ("limit", "offset", "end", "id"))
_plans: dict[tuple[type, str], "Plan"] = {}


def plan_of(view: Any) -> "Plan":
    """Return what is prepared for the action of a view, which may be nothing."""
    if any(name not in _SET_BY_DISPATCH and hasattr(type(view), name) for name in vars(view)):
        return _NOTHING
    place = (type(view), view.action)
    plan = _plans.get(place)
    if plan is None or any(vars(each) != attributes for each, attributes in plan.made_for):
        try:
            plan = Read(view) if view.action in ("list", "retrieve") else Change(view)
        except (NotCompilable, FieldError, ValueError) as reason:
            logger.info("Nothing is prepared for %s of %s: %s", view.action, type(view).__name__, reason)
            plan = Plan()
        # A class may be changed later.
        plan.made_for = [(each, dict(vars(each))) for each in type(view).__mro__ if not is_of_framework(each)]
        _plans[place] = plan
    return plan


class Plan:
    """Nothing prepared: REST framework does it all."""

    #: The classes of the view, and what they were when it was made.
    made_for: Sequence[tuple[type, Mapping[str, Any]]] = ()
    #: Whether the answer may be kept.
    is_repeatable = False
    #: The statement of the row of one object, and of the object itself.
    one: Statement | None = None
    objects: Objects | None = None

    def rows(self, view: Any) -> "Rows | None":
        """Return the rows of a list for its paginator; None where REST framework is to read them itself."""
        return None

    def represent(self, view: Any, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Return the JSON of rows of a prepared statement."""
        raise NotImplementedError


_NOTHING: Final = Plan()


class Read(Plan):
    """A compiled serializer, and the statements of rows that are declared."""

    def __init__(self, view: Any) -> None:
        own = overridden(type(view)) - OF_VIEWS
        if own - _CALLED:
            raise NotCompilable(f"it overrides {', '.join(sorted(own - _CALLED))}")
        helpers = list(_helpers(view))
        self._compiled = CompiledSerializer(view.get_serializer_class()(), view.declared_queryset(), view.prefetched)
        self.is_repeatable = (
            self._compiled.is_repeatable
            and not overrides(type(view), OF_VIEWS)
            and not any(map(overrides, helpers))
            and all(map(is_marked, _filter_methods(view)))
            and all(map(_lets_every_object_pass, view.permission_classes))
        )
        paginator = view.pagination_class or object
        self._is_paged = issubclass(paginator, LimitOffsetPagination) and not overridden(paginator)
        self._page: Page | None = None
        if (
            own - {"object_id"}
            or not getattr(view, "rows", ())
            or view.lookup_field != "pk"
            or any(map(overridden, helpers))
        ):
            return
        if view.action == "list":
            self._page = Page(view, self._compiled, are_counts_kept=self.is_repeatable)
        elif all(map(_lets_every_object_pass, view.permission_classes)):
            found = view.declared_rows().filter(pk=_ID).order_by()
            self.one = Statement(text_of(found.values_list(*self._compiled.columns)))

    def rows(self, view: Any) -> "Rows | None":
        paginator = view.paginator
        if not self._is_paged or paginator.get_limit(view.request) is None:
            return None
        names = {paginator.limit_query_param, paginator.offset_query_param}
        if self._page and view.request.query_params.keys() <= names:
            return PageRows(self, self._page, view)
        return QuerysetRows(self, view, view.filter_queryset(view.get_queryset()), self._compiled.columns)

    def represent(self, view: Any, rows: Sequence[Row]) -> list[dict[str, Any]]:
        return self.represent_decoded(view, self._compiled.decoded(rows))

    def represent_decoded(self, view: Any, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Return the JSON of rows of a queryset."""
        context = view.get_serializer_context() if self._compiled.needs_context else None
        return self._compiled.represent(rows, context, values_of(view), replica.alias())


class Change(Plan):
    """The statement of the object that an action is about; its row is locked if the action writes."""

    def __init__(self, view: Any) -> None:
        own = overridden(type(view)) - OF_VIEWS - {"object_id"}
        if own or not view.detail or not getattr(view, "rows", ()) or any(map(overridden, _helpers(view))):
            raise NotCompilable(f"it overrides {', '.join(sorted(own)) or 'a part, or is not about declared rows'}")
        found = view.declared_rows().filter(pk=_ID).order_by()
        is_locking = view.request.method in ("POST", "PUT", "PATCH", "DELETE")
        self.objects = Objects(found, view.related, list(view.annotated), is_locking=is_locking)


def values_of(view: Any) -> dict[str, Any]:
    """Return the values of PROJECT and ORGANIZATION."""
    tenant = getattr(view, "tenant", None)
    return {PROJECT.name: tenant.project_id, ORGANIZATION.name: tenant.organization.pk} if tenant else {}


class Page:
    """The statements of a page of declared rows: the keys of the page first, and only for these the columns."""

    def __init__(self, view: Any, compiled: CompiledSerializer, *, are_counts_kept: bool) -> None:
        arms = view.arms()
        rows = view.declared_rows()
        order = view.ordering
        if len(arms) > 1 and not (order and all(isinstance(name, str) for name in order)):
            raise NotCompilable("rows of several conditions need an ordering by names")
        pk = rows.model._meta.pk
        keys = [text_of(arm.order_by().values("pk")).within("(SELECT count(*) FROM ({}) counted)") for arm in arms]
        total = Text(" + ".join(each.sql for each in keys), [value for each in keys for value in each.values])
        page = _keys_of_page(arms, order)
        columns = compiled.columns
        large = json_columns(rows.model, columns)
        if large:
            page = fitting(page, rows.model, large)
        on_page = is_any_of(pk, f"= ANY(ARRAY({page.sql}))", page.values)
        read = rows.filter(on_page)
        self.rows = Statement(text_of(read.values_list(*columns)))
        self.counted = Statement(text_of(read.values_list(*columns, RawSQL(total.sql, total.values))))  # noqa: S611
        self.total = Statement(total.within("SELECT {}"))
        #: By tenant: a revision, and how many rows there were.
        self.counts: dict[Any, tuple[int | None, int]] | None = None
        if are_counts_kept and kept.are_watched([self.total.sql]):
            self.counts = {}


def _keys_of_page(arms: Sequence[QuerySet[Any]], order: Sequence[str]) -> Text:
    """Return the statement of the keys of a page: of each arm as many as reach its end, then of all its own."""
    if len(arms) == 1:
        return text_of(arms[0].values("pk")).within("{} LIMIT %s OFFSET %s", _LIMIT, _OFFSET)
    names = [name.lstrip("-") for name in order]
    parts = [text_of(arm.values_list("pk", *names)).within("({} LIMIT %s)", _END) for arm in arms]
    union = Text(" UNION ALL ".join(part.sql for part in parts), [value for part in parts for value in part.values])
    keys = [f"k{place}" for place in range(len(order))]
    by = ", ".join(f"{key} DESC" if name[0] == "-" else key for key, name in zip(keys, order, strict=True))
    form = f"SELECT pk FROM ({{}}) page (pk, {', '.join(keys)}) ORDER BY {by} LIMIT %s OFFSET %s"  # noqa: S608
    return union.within(form, _LIMIT, _OFFSET)


class PageRows:
    """The rows of a page, by prepared statements; the number of all of them comes with the page."""

    def __init__(self, plan: Read, page: Page, view: Any) -> None:
        self._plan, self._page, self._view = plan, page, view
        limit, offset = view.paginator.get_limit(view.request), view.paginator.get_offset(view.request)
        offset = min(offset, _MOST_ROWS)  # as far as the database can count
        self._values = {**values_of(view), _LIMIT.name: limit, _OFFSET.name: offset, _END.name: offset + limit}
        self._found: Sequence[Row] | None = None

    def count(self) -> int:
        """Return the number of all rows; it is known where the organization is as it was when they were counted."""
        access, counts = self._view.access, self._page.counts
        tenant = (access.organization.pk, access.project_id)
        revision, count = (None, 0) if counts is None else counts.get(tenant, (None, 0))
        if revision is not None and revision == access.revision:
            return count
        self._found = self._page.counted.run(self._values, replica.alias())
        if self._found:
            count = self._found[0][-1]
        elif self._values[_OFFSET.name]:
            ((count,),) = self._page.total.run(self._values, replica.alias())
        else:
            count = 0
        if counts is not None:
            if len(counts) >= _MOST_COUNTS:
                counts.clear()
            counts[tenant] = access.revision, count
        return count

    def __getitem__(self, part: slice) -> list[dict[str, Any]]:
        if self._found is None:
            self._found = self._page.rows.run(self._values, replica.alias())
        return self._plan.represent(self._view, self._found)


class QuerysetRows:
    """The rows of a queryset that is made for the request."""

    def __init__(self, plan: Read, view: Any, queryset: QuerySet[Any], columns: Sequence[Any]) -> None:
        self._plan, self._view, self._queryset, self._columns = plan, view, queryset, columns

    def count(self) -> int:
        return self._queryset.count()

    def __getitem__(self, part: slice) -> list[dict[str, Any]]:
        page = part_that_fits(self._queryset, part, shown=self._columns)
        return self._plan.represent_decoded(self._view, list(page.values_list(*self._columns)))


Rows = PageRows | QuerysetRows


def _helpers(view: Any) -> Iterator[type]:
    """Return the classes beside the view itself that decide which rows a list shows."""
    filterset = getattr(view, "filterset_class", None)
    yield from view.filter_backends
    if view.pagination_class:
        yield view.pagination_class
    if filterset:
        yield from (filterset, *{type(each) for each in filterset.base_filters.values()})


def _filter_methods(view: Any) -> Iterator[Any]:
    """Return the functions that a filterset names for its parameters."""
    filterset = getattr(view, "filterset_class", None)
    for each in filterset.base_filters.values() if filterset else ():
        if each.method:
            yield each.method if callable(each.method) else getattr(filterset, each.method)


def _lets_every_object_pass(permission: Any) -> bool:
    """Return whether a permission class judges the request alone, and no object."""
    return getattr(permission, "has_object_permission", None) is BasePermission.has_object_permission
