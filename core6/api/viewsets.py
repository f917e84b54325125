"""What every view inherits: its scope, and how the rows that it may touch are found."""

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
from core6.api.idempotency import once
from core6.api.ids import parse_id
from core6.api.openapi.operations import Operation
from core6.api.parsers import ENDED_EARLY
from core6.api.plans import plan_of, values_of
from core6.rate_limits.models import Use

M = TypeVar("M", bound=Model)
#: The action of a method that an address refuses though REST framework would add it, as HEAD of a GET that writes.
NOT_ALLOWED: Final = "http_method_not_allowed"
WRITING_METHODS = ("POST", "PUT", "PATCH", "DELETE")


def has_uuids(view: GenericViewSet[Any]) -> bool:
    """Tell whether a view's rows are named by UUIDs; else they are by numbers."""
    queryset: Any = view.queryset  # type: ignore[arg-type]  # the stubs take it for a manager
    return isinstance(queryset.model._meta.pk, UUIDField)


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
        if self.request.method in WRITING_METHODS:
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
