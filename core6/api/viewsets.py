"""The base class of all views: scopes, rate limits, idempotency, conditional requests and access to rows."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeVar, cast, final
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db.models import (
    Model,
    Prefetch,
    QuerySet,
    UUIDField,
    prefetch_related_objects,
)
from django.http import Http404
from rest_framework.exceptions import ParseError
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from core6.accounts import scopes
from core6.accounts.models import PersonalAPIKey, User
from core6.api import conditional, rate_limits
from core6.api.access import Access
from core6.api.idempotency import idempotent
from core6.api.ids import parse_id
from core6.api.parsers import ENDED_EARLY
from core6.api.plans import plan_of, values_of
from core6.rate_limits.models import Use

M = TypeVar("M", bound=Model)
#: The action of a method that is not allowed although REST framework would add it, such as HEAD of a GET that writes.
NOT_ALLOWED: Final = "http_method_not_allowed"
WRITING_METHODS = ("POST", "PUT", "PATCH", "DELETE")


def has_uuids(view: GenericViewSet[Any]) -> bool:
    """Return whether the ids of a view's rows are UUIDs; otherwise they are integers."""
    queryset: Any = view.queryset  # type: ignore[arg-type]  # the stubs take it for a manager
    return isinstance(queryset.model._meta.pk, UUIDField)


class ScopedViewSet(GenericViewSet[M]):
    """The base of every endpoint: one declared scope, access to rows only through a hook.

    A resource declares `scope`, `queryset`, `serializer_class` and perhaps `filterset_class`; the hook `in_scope`
    restricts the queryset to the rows that the caller may see.
    """

    scope: ClassVar[str] = ""
    #: Scopes of actions that differ from `<scope>:read` and `<scope>:write`.
    action_scopes: ClassVar[Mapping[str, Sequence[str]]] = {}
    #: The actions whose operationIds do not begin with the basename (D21).
    unprefixed_operations: ClassVar[Collection[str]] = ()
    #: Writing actions whose response is the object, as in a read of it.
    actions_returning_object: ClassVar[Collection[str]] = ("create", "update", "partial_update")
    #: GET actions that change something: their responses have no tag, since they are not a state of the object.
    unsafe_get_actions: ClassVar[Collection[str]] = ()
    #: The rate limit windows after this call; empty if there are no limits.
    used: Sequence[Use] = ()
    post: Any
    #: The total order of the rows; empty if `queryset` has one.
    ordering: ClassVar[Sequence[str]] = ()
    #: The related objects to join, and the annotations by their names.
    related: ClassVar[Sequence[str]] = ()
    annotated: ClassVar[Mapping[str, Any]] = {}
    #: The related rows to prefetch, by the name of the relation.
    prefetched: ClassVar[Mapping[str, QuerySet[Any]]] = {}
    #: Serializers of actions that differ from `serializer_class`.
    serializer_classes: ClassVar[Mapping[str, type[BaseSerializer[Any]]]] = {}
    #: The actions that apply the filters of the query string; None means all.
    filtered: ClassVar[Collection[str] | None] = None
    lookup_url_kwarg = "id"
    lookup_value_regex = "[^/]+"

    @classmethod
    def as_view(cls, *args: Any, **kwargs: Any) -> Any:
        """Return the view; raises ImproperlyConfigured, which stops the start, if it has no scope."""
        if cls.scope not in scopes.OBJECTS:
            raise ImproperlyConfigured(f"{cls.__name__} declares no known scope: add scope = '<object>' to it")
        return super().as_view(*args, **kwargs)

    @property
    def caller(self) -> User:
        """The user; only after the permission checks, which require a key."""
        return cast("User", self.request.user)

    @property
    def key(self) -> PersonalAPIKey:
        """The key of the request; only after the permission checks."""
        return self.access.key

    @property
    def access(self) -> Access:
        """The key and the tenant of the request; only after the permission checks."""
        return cast("Access", self.request.auth)

    def perform_authentication(self, request: Request) -> None:
        """Authenticate the caller, and count the call, so that refused calls count, too.

        Then read the body of an idempotent POST, before it is parsed.
        """
        super().perform_authentication(request)
        self.check_throttles(request)
        if request.auth is not None and self._is_idempotent():
            _ = request._request.body

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the permissions, and raise ParseError for an incomplete body (D68)."""
        super().initial(request, *args, **kwargs)
        if self.action and request.META.get(ENDED_EARLY):
            raise ParseError("The body ended before it was complete: send all of it.")
        if self.action and self._is_idempotent():
            self.post = idempotent(self.post, values_of(self))

    def _is_idempotent(self) -> bool:
        return self.request.method == "POST" and "HTTP_IDEMPOTENCY_KEY" in self.request.META

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]  # as APIView's
        """Describe the endpoint (D69) without looking up an object; REST framework adds `Allow` to every response."""
        parses = [parser.media_type for parser in self.parser_classes]
        renders = [renderer.media_type for renderer in self.renderer_classes]
        return Response({"name": self.get_view_name(), "description": "", "renders": renders, "parses": parses})

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the headers of rate limits, if there are any, and the tag (D67)."""
        if self.used:
            rate_limits.add_headers(response, self.used)
        response = super().finalize_response(request, response, *args, **kwargs)
        has_tag = self.action not in (None, "metadata", *self.unsafe_get_actions)
        if isinstance(response, Response) and not response.exception and has_tag:
            return conditional.with_tag(response, self, is_object=self.action in self.actions_returning_object)
        return response

    def tenant_url_kwarg(self) -> str | None:
        """Return the name of the URL parameter with the id of the tenant; None if there is none."""
        return None

    def check_restrictions(self) -> None:
        """Refuse a key that is restricted to other organizations or projects."""

    def check_level(self) -> None:
        """Refuse a caller who is not a member of the tenant, or whose level is too low."""

    def in_scope(self, queryset: QuerySet[M]) -> QuerySet[M]:
        """Return the rows that this action may see."""
        raise NotImplementedError

    @final
    def get_queryset(self) -> QuerySet[M]:
        """Return the rows in scope; for writing methods they are locked."""
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset()
        queryset = self.in_scope(self.declared_queryset().prefetch_related(*self._prefetches()))
        if self.request.method in WRITING_METHODS:
            queryset = queryset.select_for_update(of=("self",))
        return queryset

    def declared_queryset(self) -> QuerySet[M]:
        """Return the rows of `queryset`, in any scope, with the declared joins, annotations and order."""
        rows: Any = super().get_queryset()
        rows = rows.select_related(*self.related).annotate(**self.annotated)
        return cast("QuerySet[M]", rows.order_by(*self.ordering) if self.ordering else rows)

    def _prefetches(self) -> list[Any]:
        return [Prefetch(name, rows) for name, rows in self.prefetched.items()]

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return self.serializer_classes.get(str(self.action)) or super().get_serializer_class()

    @property
    def allowed_methods(self) -> list[str]:
        """The methods in `Allow`, without those that are mapped to NOT_ALLOWED (D27)."""
        methods = super().allowed_methods
        return [each for each in methods if self.action_map.get(each.lower()) != NOT_ALLOWED]

    def object_id(self) -> UUID | int | None:
        """Return the id in the URL; None if it is invalid."""
        return parse_id(self.kwargs["id"], is_uuid=has_uuids(self))

    def lock(self) -> None:
        """Acquire the locks that a change of the object needs, in addition to its row lock."""

    def filter_queryset(self, queryset: Any) -> Any:
        """Apply the filters of the query string, in actions that support them."""
        is_filtered = self.filtered is None or self.action in self.filtered
        return super().filter_queryset(queryset) if is_filtered else queryset

    def get_object(self) -> M:
        """Return the row of the URL; an invalid id is 404, like an unknown one (D11)."""
        if self.request.method in ("PUT", "PATCH"):
            self.lock()
        key = self.object_id()
        if key is None:
            raise Http404
        prepared = None if self.request.query_params else plan_of(self).instance
        found: M | None
        if prepared is None:
            found = get_object_or_404(self.filter_queryset(self.get_queryset()), pk=key)
        elif found := prepared.first({**values_of(self), "id": key}):
            prefetch_related_objects([found], *self._prefetches())
        else:
            raise Http404
        self.check_object_permissions(self.request, found)
        conditional.check(self, found)
        return found

    def required_scopes(self) -> Sequence[str]:
        """Return the scopes that this request requires; none for OPTIONS and unsupported methods (D48, D69)."""
        if self.action in (None, "metadata", NOT_ALLOWED):
            return ()
        return self.action_scopes.get(self.action, (scopes.required(self.scope, str(self.request.method)),))
