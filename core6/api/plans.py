"""Plans: what is prepared once for an action of a viewset, if custom code of the viewset does not affect it."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.core.exceptions import FieldError
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.viewsets import GenericViewSet

from core6.api import response_cache
from core6.api.compiled_fields import NotCompilable, column_condition
from core6.api.compiled_serializers import CompiledSerializer, Row
from core6.api.page_sizes import fitting, json_columns, part_that_fits
from core6.api.plan_checks import checks_only_request, filter_methods, helper_classes
from core6.api.repeatable import OF_VIEWS, is_marked, is_of_framework, overridden, overrides
from core6.database import replica
from core6.database.prepared import ORGANIZATION, PROJECT, CompiledObject, Parameter, Statement, Text, text_of

logger = logging.getLogger(__name__)
#: Methods that a view may override and still have its rows read as columns, since they are called.
_CALLED: Final = frozenset(("filter_queryset", "in_scope", "object_id"))
#: The attributes that dispatch sets on a view; a view that overrides other class attributes is not prepared.
_SET_BY_DISPATCH: Final = frozenset(
    (
        *("action", "action_map", "args", "basename", "description", "detail", "format_kwarg", "headers", "kwargs"),
        *("name", "project", "request", "response", "schema", "suffix", "tenant", "used"),
        *GenericViewSet.http_method_names,
    )
)
_MOST_COUNTS: Final = 10_000
_MOST_ROWS: Final = 2**60
_LIMIT, _OFFSET, _END, _ID = (Parameter(name) for name in ("limit", "offset", "end", "id"))
_plans: dict[tuple[type, str], "Plan"] = {}


def plan_of(view: Any) -> "Plan":
    """Return the plan for the action of a view, which may be empty."""
    if any(name not in _SET_BY_DISPATCH and hasattr(type(view), name) for name in vars(view)):
        return _NOTHING
    key = (type(view), view.action)
    plan = _plans.get(key)
    if plan is None or any(vars(each) != attributes for each, attributes in plan.made_for):
        try:
            plan = Read(view) if view.action in ("list", "retrieve") else Change(view)
        except (NotCompilable, FieldError, ValueError) as reason:
            logger.info("No prepared plan for %s of %s: %s", view.action, type(view).__name__, reason)
            plan = Plan()
        # To notice later changes of the classes.
        plan.made_for = [(each, dict(vars(each))) for each in type(view).__mro__ if not is_of_framework(each)]
        _plans[key] = plan
    return plan


class Plan:
    """An empty plan: REST framework does everything."""

    #: The classes of the view, and their attributes when the plan was made.
    made_for: Sequence[tuple[type, Mapping[str, Any]]] = ()
    #: Whether the response may be cached.
    is_repeatable = False
    #: The statements for the row of one object, and for the model instance.
    one: Statement | None = None
    instance: CompiledObject | None = None

    def rows(self, view: Any) -> "Rows | None":
        """Return the rows of a list for its paginator; None if REST framework must read them itself."""
        return None

    def represent(self, view: Any, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Return the JSON of rows of a prepared statement."""
        raise NotImplementedError


_NOTHING: Final = Plan()


class Read(Plan):
    """A compiled serializer, and the prepared statements of declared rows."""

    def __init__(self, view: Any) -> None:
        own = overridden(type(view)) - OF_VIEWS
        if own - _CALLED:
            raise NotCompilable(f"it overrides {', '.join(sorted(own - _CALLED))}")
        helpers = list(helper_classes(view))
        self._compiled = CompiledSerializer(view.get_serializer_class()(), view.declared_queryset(), view.prefetched)
        self.is_repeatable = (
            self._compiled.is_repeatable
            and not overrides(type(view), OF_VIEWS)
            and not any(map(overrides, helpers))
            and all(map(is_marked, filter_methods(view)))
            and all(map(checks_only_request, view.permission_classes))
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
            self._page = Page(view, self._compiled, caches_counts=self.is_repeatable)
        elif all(map(checks_only_request, view.permission_classes)):
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
    """The statement for the instance of a detail action; its row is locked if the action writes."""

    def __init__(self, view: Any) -> None:
        own = overridden(type(view)) - OF_VIEWS - {"object_id"}
        if own or not view.detail or not getattr(view, "rows", ()) or any(map(overridden, helper_classes(view))):
            raise NotCompilable(f"it overrides {', '.join(sorted(own)) or 'a part, or is not about declared rows'}")
        found = view.declared_rows().filter(pk=_ID).order_by()
        is_locking = view.request.method in ("POST", "PUT", "PATCH", "DELETE")
        self.instance = CompiledObject(found, view.related, list(view.annotated), is_locking=is_locking)


def values_of(view: Any) -> dict[str, Any]:
    """Return the values of PROJECT and ORGANIZATION."""
    tenant = getattr(view, "tenant", None)
    return {PROJECT.name: tenant.project_id, ORGANIZATION.name: tenant.organization.pk} if tenant else {}


class Page:
    """The statements of a page of declared rows: they select the keys of the page, then the columns of these rows."""

    def __init__(self, view: Any, compiled: CompiledSerializer, *, caches_counts: bool) -> None:
        parts = view.disjoint_rows()
        rows = view.declared_rows()
        order = view.ordering
        if len(parts) > 1 and not (order and all(isinstance(name, str) for name in order)):
            raise NotCompilable("rows of several conditions need an ordering by names")
        pk = rows.model._meta.pk
        keys = [text_of(part.order_by().values("pk")).within("(SELECT count(*) FROM ({}) counted)") for part in parts]
        total = Text(" + ".join(each.sql for each in keys), [value for each in keys for value in each.values])
        page = _keys_of_page(parts, order)
        columns = compiled.columns
        large = json_columns(rows.model, columns)
        if large:
            page = fitting(page, rows.model, large)
        on_page = column_condition(pk, f"= ANY(ARRAY({page.sql}))", page.values)
        read = rows.filter(on_page)
        self.rows = Statement(text_of(read.values_list(*columns)))
        self.counted = Statement(text_of(read.values_list(*columns, RawSQL(total.sql, total.values))))  # noqa: S611
        self.total = Statement(total.within("SELECT {}"))
        #: By tenant: a revision, and the number of rows at that revision.
        self.counts: dict[Any, tuple[int | None, int]] | None = None
        if caches_counts and response_cache.are_watched([self.total.sql]):
            self.counts = {}


def _keys_of_page(querysets: Sequence[QuerySet[Any]], order: Sequence[str]) -> Text:
    """Return the statement of the keys of a page: the first keys of each queryset, merged and cut to the page."""
    if len(querysets) == 1:
        return text_of(querysets[0].values("pk")).within("{} LIMIT %s OFFSET %s", _LIMIT, _OFFSET)
    names = [name.lstrip("-") for name in order]
    parts = [text_of(each.values_list("pk", *names)).within("({} LIMIT %s)", _END) for each in querysets]
    union = Text(" UNION ALL ".join(part.sql for part in parts), [value for part in parts for value in part.values])
    keys = [f"k{index}" for index in range(len(order))]
    by = ", ".join(f"{key} DESC" if name[0] == "-" else key for key, name in zip(keys, order, strict=True))
    form = f"SELECT pk FROM ({{}}) page (pk, {', '.join(keys)}) ORDER BY {by} LIMIT %s OFFSET %s"  # noqa: S608
    return union.within(form, _LIMIT, _OFFSET)


class PageRows:
    """The rows of a page by prepared statements, which also return the total count."""

    def __init__(self, plan: Read, page: Page, view: Any) -> None:
        self._plan, self._page, self._view = plan, page, view
        limit, offset = view.paginator.get_limit(view.request), view.paginator.get_offset(view.request)
        offset = min(offset, _MOST_ROWS)  # the limit of the database
        self._values = {**values_of(view), _LIMIT.name: limit, _OFFSET.name: offset, _END.name: offset + limit}
        self._found: Sequence[Row] | None = None

    def count(self) -> int:
        """Return the number of all rows, from the cache if the organization is unchanged."""
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
    """The rows of a queryset made for the request."""

    def __init__(self, plan: Read, view: Any, queryset: QuerySet[Any], columns: Sequence[Any]) -> None:
        self._plan, self._view, self._queryset, self._columns = plan, view, queryset, columns

    def count(self) -> int:
        return self._queryset.count()

    def __getitem__(self, part: slice) -> list[dict[str, Any]]:
        page = part_that_fits(self._queryset, part, shown=self._columns)
        return self._plan.represent_decoded(self._view, list(page.values_list(*self._columns)))


Rows = PageRows | QuerysetRows
