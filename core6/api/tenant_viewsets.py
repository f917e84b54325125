"""The views below an organization or a project: nothing runs before it is found, and its caller's level is known."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, reduce
from operator import or_
from typing import Any, ClassVar, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db.models import (
    Model,
    Q,
    QuerySet,
)
from rest_framework.exceptions import NotFound, PermissionDenied

from core6.accounts.models import Level
from core6.api.plans import values_of
from core6.api.tenants import PROJECTS_ONLY, Tenant
from core6.api.viewsets import WRITING_METHODS, ScopedViewSet
from core6.database.prepared import Parameter

M = TypeVar("M", bound=Model)


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
        return self.write_level if self.action and self.request.method in WRITING_METHODS else Level.MEMBER


class OrganizationScopedViewSet(TenantScopedViewSet[M]):
    """Endpoints under `/api/organizations/:organization_id/`."""

    _unknown: ClassVar[str] = "Organization not found."

    def tenant_place(self) -> str:
        return "organization_id"

    def resolve_tenant(self) -> Tenant:
        if self.access.organization is None:
            raise NotFound(self._unknown)
        return Tenant(self.access.organization, self.access.level)
