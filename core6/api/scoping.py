"""What every view inherits: its scope, and how the rows that it may touch are found."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import or_
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypedDict, TypeVar, cast, final
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db.models import (
    Case,
    Model,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    UUIDField,
    When,
    prefetch_related_objects,
)
from django.http import Http404
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from core6.accounts import scopes
from core6.accounts.models import Level, Membership, Organization, PersonalAPIKey, User
from core6.api import conditional, rate_limits
from core6.api.access import Access
from core6.api.idempotency import once
from core6.api.ids import CURRENT, parse_id, parse_uuid
from core6.api.openapi.operations import Operation
from core6.api.parsers import ENDED_EARLY
from core6.api.plans import plan_of, values_of
from core6.database.prepared import Parameter
from core6.rate_limits.models import Use

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

M = TypeVar("M", bound=Model)
PROJECTS_ONLY: Final = "API keys with scoped projects are only supported on project-based endpoints."
#: The action of a method that an address refuses though REST framework would add it, as HEAD of a GET that writes.
NOT_ALLOWED: Final = "http_method_not_allowed"
_WRITING_METHODS = ("POST", "PUT", "PATCH", "DELETE")


class CallerLevel(TypedDict):
    """What the queries of tenants add to their rows: the caller's level, None for whoever is no member."""

    caller_level: int | None


@dataclass(frozen=True)
class Tenant:
    """Whose rows a request is about, and the caller's level there (None: not a member)."""

    organization: Organization
    level: int | None
    project_id: int | None = None


def membership_level(user: User, organization: str) -> Subquery:
    """Return the subquery of the user's level in the organization that the outer column `organization` names."""
    return Subquery(Membership.objects.filter(user=user, organization=OuterRef(organization)).values("level"))


def has_uuids(view: GenericViewSet[Any]) -> bool:
    """Tell whether a view's rows are named by UUIDs; else they are by numbers."""
    queryset: Any = view.queryset  # type: ignore[arg-type]  # the stubs take it for a manager
    return isinstance(queryset.model._meta.pk, UUIDField)


def organizations_of(user: User, segment: str) -> "QuerySet[WithAnnotations[Organization, CallerLevel]]":
    """Return the organization that a path segment names, with the caller's level in it as `caller_level`.

    `@current` is the one the user last looked at, else the first one joined.
    """
    organizations = Organization.objects.annotate(caller_level=membership_level(user, "pk"))
    if segment != CURRENT:
        key = parse_uuid(segment)
        return organizations.filter(pk=key) if key else organizations.none()
    is_current = Q(memberships__organization=user.current_organization_id)
    return organizations.filter(memberships__user=user).order_by(
        Case(When(is_current, then=0), default=1), "memberships__joined_at", "pk"
    )


class ScopedViewSet(GenericViewSet[M]):
    """The root of every endpoint: one declared scope, rows only through a hook.

    A resource declares `scope`, `queryset`, `serializer_class` and perhaps `filterset_class`; the hook `in_scope`
    narrows the queryset to the rows that the caller may see.
    """

    scope: ClassVar[str] = ""
    #: Scopes of actions that differ from `<scope>:read` and `<scope>:write`.
    action_scopes: ClassVar[Mapping[str, Sequence[str]]] = {}
    #: What the schema says of each action.
    operations: ClassVar[Mapping[str, Operation]] = {}
    #: Its own actions whose operationIds do not begin with the basename (D21).
    bare_operations: ClassVar[Collection[str]] = ()
    #: Writing actions that answer the object as a read of it would.
    answering_object: ClassVar[Collection[str]] = ("create", "update", "partial_update")
    #: Actions by GET that change something: what they answer has no tag, and is no state of the object.
    acting_reads: ClassVar[Collection[str]] = ()
    #: The rate limits after this call; empty when there are none.
    used: Sequence[Use] = ()
    post: Any
    #: The order of the rows, which is total; empty where `queryset` has one.
    ordering: ClassVar[Sequence[str]] = ()
    #: The related objects that an object shows, and columns that are computed for it, by their names.
    related: ClassVar[Sequence[str]] = ()
    annotated: ClassVar[Mapping[str, Any]] = {}
    #: The related rows that an object lists, by the name of the relation.
    prefetched: ClassVar[Mapping[str, QuerySet[Any]]] = {}
    #: Serializers of actions that differ from `serializer_class`.
    serializer_classes: ClassVar[Mapping[str, type[BaseSerializer[Any]]]] = {}
    #: The actions that heed the filters of the query string; None is all.
    filtered: ClassVar[Collection[str] | None] = None
    lookup_url_kwarg = "id"
    lookup_value_regex = "[^/]+"

    @classmethod
    def as_view(cls, *args: Any, **kwargs: Any) -> Any:
        """Make the view; one that declares no scope stops the start."""
        if cls.scope not in scopes.OBJECTS:
            raise ImproperlyConfigured(f"{cls.__name__} declares no known scope: add scope = '<object>' to it")
        return super().as_view(*args, **kwargs)

    @property
    def caller(self) -> User:
        """Return who calls; only behind the permission, which refuses everybody without a key."""
        return cast("User", self.request.user)

    @property
    def key(self) -> PersonalAPIKey:
        """Return the key of the call; only behind the permission, too."""
        return self.access.key

    @property
    def access(self) -> Access:
        """Return who calls where; only behind the permission."""
        return cast("Access", self.request.auth)

    def perform_authentication(self, request: Request) -> None:
        """Find out who calls, and count the call, so that refusals count, too.

        Only then is the body of a POST that is to happen once read, before it is parsed.
        """
        super().perform_authentication(request)
        self.check_throttles(request)
        if request.auth is not None and self._is_once():
            _ = request._request.body

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let nobody pass who may not, and no body that ended too early (D68); raises ParseError for that."""
        super().initial(request, *args, **kwargs)
        if self.action and request.META.get(ENDED_EARLY):
            raise ParseError("The body ended before it was complete: send all of it.")
        if self.action and self._is_once():
            self.post = once(self.post, values_of(self))

    def _is_once(self) -> bool:
        return self.request.method == "POST" and "HTTP_IDEMPOTENCY_KEY" in self.request.META

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]  # as APIView's
        """Say what the address takes (D69); no object is looked up for that, and `Allow` is added to every answer."""
        parses = [parser.media_type for parser in self.parser_classes]
        renders = [renderer.media_type for renderer in self.renderer_classes]
        return Response({"name": self.get_view_name(), "description": "", "renders": renders, "parses": parses})

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add what is left of the rate limits, if there are any, and the tag of what is answered (D67)."""
        if self.used:
            rate_limits.tell(response, self.used)
        response = super().finalize_response(request, response, *args, **kwargs)
        has_tag = self.action not in (None, "metadata", *self.acting_reads)
        if isinstance(response, Response) and not response.exception and has_tag:
            return conditional.with_tag(response, self, is_object=self.action in self.answering_object)
        return response

    def tenant_place(self) -> str | None:
        """Return the name of the part of the URL whose id alone names the tenant; None where something else does."""
        return None

    def check_restrictions(self) -> None:
        """Refuse a key that is restricted to organizations or projects which this endpoint is not about."""

    def check_level(self) -> None:
        """Refuse a caller who is no member where this endpoint is, or whose level is too low."""

    def in_scope(self, queryset: QuerySet[M]) -> QuerySet[M]:
        """Return the rows that this action may see."""
        raise NotImplementedError

    @final
    def get_queryset(self) -> QuerySet[M]:
        """Return the rows in scope; one that is about to be written is locked until it is."""
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset()
        queryset = self.in_scope(self.declared_queryset().prefetch_related(*self._prefetches()))
        if self.request.method in _WRITING_METHODS:
            queryset = queryset.select_for_update(of=("self",))
        return queryset

    def declared_queryset(self) -> QuerySet[M]:
        """Return the rows of `queryset`, whatever their scope, with what else is declared."""
        rows: Any = super().get_queryset()
        rows = rows.select_related(*self.related).annotate(**self.annotated)
        return cast("QuerySet[M]", rows.order_by(*self.ordering) if self.ordering else rows)

    def _prefetches(self) -> list[Any]:
        return [Prefetch(name, rows) for name, rows in self.prefetched.items()]

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return self.serializer_classes.get(str(self.action)) or super().get_serializer_class()

    @property
    def allowed_methods(self) -> list[str]:
        """Return what `Allow` lists: methods that are mapped to a refusal are not allowed (D27)."""
        methods = super().allowed_methods
        return [each for each in methods if self.action_map.get(each.lower()) != NOT_ALLOWED]

    def object_id(self) -> UUID | int | None:
        """Return the id of the row that the URL names; None for what is no id at all."""
        return parse_id(self.kwargs["id"], is_uuid=has_uuids(self))

    def lock(self) -> None:
        """Take the locks that a change of the object needs beside that of its row."""

    def filter_queryset(self, queryset: Any) -> Any:
        """Return the rows that the query string asks for, in actions that heed it."""
        is_heeded = self.filtered is None or self.action in self.filtered
        return super().filter_queryset(queryset) if is_heeded else queryset

    def get_object(self) -> M:
        """Return the row named in the URL; what is no id at all is 404 like an unknown one (D11)."""
        if self.request.method in ("PUT", "PATCH"):
            self.lock()
        key = self.object_id()
        if key is None:
            raise Http404
        objects = None if self.request.query_params else plan_of(self).objects
        found: M | None
        if objects is None:
            found = get_object_or_404(self.filter_queryset(self.get_queryset()), pk=key)
        elif found := objects.first({**values_of(self), "id": key}):
            prefetch_related_objects([found], *self._prefetches())
        else:
            raise Http404
        self.check_object_permissions(self.request, found)
        conditional.check(self, found)
        return found

    def required_scopes(self) -> Sequence[str]:
        """Return the scopes that this request needs; none for OPTIONS and what the view does not support (D48, D69)."""
        if self.action in (None, "metadata", NOT_ALLOWED):
            return ()
        return self.action_scopes.get(self.action, (scopes.required(self.scope, str(self.request.method)),))


class TenantScopedViewSet(ScopedViewSet[M]):
    """Endpoints about one tenant named in the URL: nothing runs, and no row is read, before it is resolved."""

    #: The level that writing takes; reading takes a membership.
    write_level: ClassVar[int] = Level.MEMBER
    #: The rows in scope, as data: those that fit one of these conditions. PROJECT and ORGANIZATION are the path's.
    rows: ClassVar[Sequence[Mapping[str, Any]]] = ()
    #: What rows fit that are not hidden, and the actions that reach hidden ones, too.
    shown: ClassVar[Mapping[str, Any]] = {}
    reaching_hidden: ClassVar[Collection[str]] = ()
    not_a_member: ClassVar[str | None] = None
    level_too_low: ClassVar[str] = "Your organization access level is insufficient."

    @cached_property
    def tenant(self) -> Tenant:
        """Resolve the tenant from the URL, once; raises NotFound with the parent's own text."""
        return self.resolve_tenant()

    def resolve_tenant(self) -> Tenant:
        raise NotImplementedError

    def get_serializer_context(self) -> dict[str, Any]:
        """Return the context, with the caller and the caller's level."""
        context = dict(super().get_serializer_context())
        if getattr(self, "swagger_fake_view", False):
            return context
        return {**context, "user": self.caller, "level": self.tenant.level}

    def in_scope(self, queryset: QuerySet[M]) -> QuerySet[M]:
        """Return the rows that this action may see: those of `rows`, unless a resource says it by code."""
        return self._narrowed(queryset, reduce(or_, self._conditions(values_of(self))))

    def declared_rows(self) -> QuerySet[M]:
        """Return the rows of `rows`, for whatever PROJECT and ORGANIZATION are."""
        return self._narrowed(self.declared_queryset(), reduce(or_, self._conditions({})))

    def arms(self) -> list[QuerySet[M]]:
        """Return the same in pieces that have no row in common, for each of which an index may have the order."""
        queryset, conditions = self.declared_queryset(), self._conditions({})
        return [
            self._narrowed(queryset, reduce(lambda rest, before: rest & ~before, conditions[:place], condition))
            for place, condition in enumerate(conditions)
        ]

    def _narrowed(self, queryset: QuerySet[M], condition: Q) -> QuerySet[M]:
        return queryset.filter(condition, **({} if self.action in self.reaching_hidden else self.shown))

    def _conditions(self, values: Mapping[str, Any]) -> list[Q]:
        """Return the conditions of `rows` with these values of their Parameters, which stay where there are none."""
        if not self.rows:
            raise ImproperlyConfigured(f"{type(self).__name__} declares no rows: add rows = ... or in_scope to it")
        return [
            Q(
                **{
                    name: values.get(each.name, each) if isinstance(each, Parameter) else each
                    for name, each in row.items()
                }
            )
            for row in self.rows
        ]

    def check_restrictions(self) -> None:
        organization, project_id = self.tenant.organization, self.tenant.project_id
        if self.key.scoped_teams:
            if project_id is None:
                raise PermissionDenied(PROJECTS_ONLY)
            if project_id not in self.key.scoped_teams:
                raise PermissionDenied(f"API key does not have access to the requested project: ID {project_id}.")
        if self.key.scoped_organizations and organization.pk not in self.key.scoped_organizations:
            raise PermissionDenied(f"API key does not have access to the requested organization: ID {organization.pk}.")

    def check_level(self) -> None:
        if self.tenant.level is None:
            raise PermissionDenied(self.not_a_member)
        if self.tenant.level < self.required_level():
            raise PermissionDenied(self.level_too_low)

    def required_level(self) -> int:
        """Return the level that this request needs."""
        return self.write_level if self.action and self.request.method in _WRITING_METHODS else Level.MEMBER


class OrganizationScopedViewSet(TenantScopedViewSet[M]):
    """Endpoints under `/api/organizations/:organization_id/`."""

    _unknown: ClassVar[str] = "Organization not found."

    def tenant_place(self) -> str:
        return "organization_id"

    def resolve_tenant(self) -> Tenant:
        if self.access.organization is None:
            raise NotFound(self._unknown)
        return Tenant(self.access.organization, self.access.level)
