"""What every view inherits: its scope, and how the rows that it may touch are found."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypedDict, TypeVar, cast, final

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Case, Model, OuterRef, Q, QuerySet, Subquery, UUIDField, When
from django.http import Http404, QueryDict
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from core6 import replica
from core6.accounts import scopes
from core6.accounts.models import Level, Membership, Organization, PersonalAPIKey, User
from core6.api import conditional, rate_limits
from core6.api.access import Access
from core6.api.compiled import STAND_IN, Objects
from core6.api.documentation import Operation
from core6.api.idempotency import once
from core6.api.ids import CURRENT, parse_id, parse_uuid
from core6.api.parsers import ENDED_EARLY
from core6.rate_limits.models import Use

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

M = TypeVar("M", bound=Model)
PROJECTS_ONLY: Final = "API keys with scoped projects are only supported on project-based endpoints."
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
    #: The rate limits after this call; empty when there are none.
    used: Sequence[Use] = ()
    post: Any
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
        """Find out who calls; only then is the body of a POST that is to happen once read, before it is parsed."""
        super().perform_authentication(request)
        if request.auth is not None and self._is_once():
            _ = request._request.body

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let nobody pass who may not, and no body that ended too early (D68); raises ParseError for that."""
        super().initial(request, *args, **kwargs)
        if self.action and request.META.get(ENDED_EARLY):
            raise ParseError("The body ended before it was complete: send all of it.")
        if self.action and self._is_once():
            self.post = once(self.post)

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
        if isinstance(response, Response) and not response.exception and self.action not in (None, "metadata"):
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
        queryset = self.in_scope(super().get_queryset())
        if self.request.method in _WRITING_METHODS:
            queryset = queryset.select_for_update(of=("self",))
        return queryset

    def get_object(self) -> M:
        """Return the row named in the URL; what is no id at all is 404 like an unknown one (D11)."""
        key = parse_id(self.kwargs[self.lookup_url_kwarg], is_uuid=has_uuids(self))
        if key is None:
            raise Http404
        self.kwargs[self.lookup_url_kwarg] = key
        found = super().get_object()
        conditional.check(self, found)
        return found

    def required_scopes(self) -> Sequence[str]:
        """Return the scopes that this request needs; none for OPTIONS and what the view does not support (D48, D69)."""
        if self.action in (None, "metadata"):
            return ()
        return self.action_scopes.get(self.action, (scopes.required(self.scope, str(self.request.method)),))


class TenantScopedViewSet(ScopedViewSet[M]):
    """Endpoints about one tenant named in the URL: nothing runs, and no row is read, before it is resolved."""

    #: The level that writing takes; reading takes a membership.
    write_level: ClassVar[int] = Level.MEMBER
    #: Actions that show what no revision covers (core6.revisions), so that a replica may not answer them.
    not_replicated: ClassVar[Collection[str]] = ()
    not_a_member: ClassVar[str | None] = None
    level_too_low: ClassVar[str] = "Your organization access level is insufficient."

    @cached_property
    def tenant(self) -> Tenant:
        """Resolve the tenant from the URL, once; raises NotFound with the parent's own text."""
        return self.resolve_tenant()

    def resolve_tenant(self) -> Tenant:
        raise NotImplementedError

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let nobody pass who may not; what remains of a read may then be done by a replica."""
        super().initial(request, *args, **kwargs)
        if (
            request.method in ("GET", "HEAD")
            and self.action
            and self.action not in self.not_replicated
            and self.tenant_place()
            and replica.is_asked()
        ):
            name = request.method.lower()
            setattr(self, name, self._replicated(getattr(self, name)))

    def _replicated(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """Return the handler of a read that asks the replica where that has everything, else the primary."""

        def answer(*args: Any, **kwargs: Any) -> Any:
            organization = self.tenant.organization.pk
            expected, named = replica.state(organization), dict(self.kwargs)

            def read() -> Any:
                replica.check_state(replica.state(organization), expected)
                return handler(*args, **kwargs)

            found = replica.attempt(read)
            if found is not None:
                return found
            self.kwargs = named  # which an attempt that broke off may have changed
            return handler(*args, **kwargs)

        return answer

    def get_object(self) -> M:
        """Return the row named in the URL, by a query compiled once; filters of the query string are heeded."""
        key = parse_id(self.kwargs[self.lookup_url_kwarg], is_uuid=has_uuids(self))
        compiled = None if self.request.query_params else _rows(type(self), str(self.action), str(self.request.method))
        if key is None or compiled is None:
            return super().get_object()
        given = {"user": self.caller.pk, "organization": self.tenant.organization.pk, "project": self.tenant.project_id}
        found = compiled.first(given | {"uuid": key, "number": key})
        if found is None:
            raise Http404
        self.check_object_permissions(self.request, found)
        conditional.check(self, found)
        return cast("M", found)

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


def stand_in(view_class: type[TenantScopedViewSet[Any]], action: str, method: str) -> TenantScopedViewSet[Any]:
    """Return a view in the midst of a request whose values are filled in later: its queryset is good for everybody."""
    view = view_class()
    view.action, view.detail = action, action != "list"
    # Whoever is restricted is refused before.
    caller: Any = SimpleNamespace(
        method=method, user=User(pk=STAND_IN["user"]), auth=Access(PersonalAPIKey(), None, None, None)
    )
    caller.query_params = QueryDict()
    view.request = caller
    view.tenant = Tenant(Organization(pk=STAND_IN["organization"]), Level.MEMBER, STAND_IN["project"])
    view.kwargs = {"id": STAND_IN["uuid" if has_uuids(view) else "number"]}
    return view


@cache
def _rows(view_class: type[TenantScopedViewSet[Any]], action: str, method: str) -> Objects | None:
    """Return the compiled query of one row that an action works on; None when it cannot be compiled."""
    view = stand_in(view_class, action, method)
    try:
        return Objects(view.filter_queryset(view.get_queryset()).filter(pk=view.kwargs["id"]))
    except KeyError:
        return None  # more of the URL decides than the tenant


class OrganizationScopedViewSet(TenantScopedViewSet[M]):
    """Endpoints under `/api/organizations/:organization_id/`."""

    _unknown: ClassVar[str] = "Organization not found."

    def tenant_place(self) -> str:
        return "organization_id"

    def resolve_tenant(self) -> Tenant:
        segment = self.kwargs["organization_id"]
        if parse_uuid(segment):
            if self.access.organization is None:
                raise NotFound(self._unknown)
            return Tenant(self.access.organization, self.access.level)
        found = organizations_of(self.caller, segment).first()
        if found is None:
            raise NotFound(self._unknown)
        return Tenant(found, found.caller_level)
