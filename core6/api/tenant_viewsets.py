"""Views below an organization or a project, which is resolved, with the caller's level in it, before they run."""

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
    """Endpoints of one tenant in the URL: it is resolved before any other code runs and any row is read."""

    #: The level that writing requires; reading requires a membership.
    write_level: ClassVar[int] = Level.MEMBER
    #: The rows in scope: those that match one of these conditions; PROJECT and ORGANIZATION are those of the URL.
    rows: ClassVar[Sequence[Mapping[str, Any]]] = ()
    #: The condition of rows that are not hidden, and the actions that also see hidden ones.
    shown: ClassVar[Mapping[str, Any]] = {}
    includes_hidden: ClassVar[Collection[str]] = ()
    not_a_member: ClassVar[str | None] = None
    level_too_low: ClassVar[str] = "Your organization access level is insufficient."

    @cached_property
    def tenant(self) -> Tenant:
        """The tenant in the URL, resolved once; raises NotFound with the message of the parent resource."""
        return self.resolve_tenant()

    def resolve_tenant(self) -> Tenant:
        raise NotImplementedError

    def get_serializer_context(self) -> dict[str, Any]:
        """Return the context, with the caller, the caller's level and the id of the project, if there is one."""
        context = dict(super().get_serializer_context())
        if getattr(self, "swagger_fake_view", False):
            return context
        tenant = self.tenant
        return {**context, "user": self.caller, "level": tenant.level, "project_id": tenant.project_id}

    def in_scope(self, queryset: QuerySet[M]) -> QuerySet[M]:
        """Return the rows that this action may see: those of `rows`, unless a resource overrides this."""
        return self._filter(queryset, reduce(or_, self._conditions(values_of(self))))

    def declared_rows(self) -> QuerySet[M]:
        """Return the rows of `rows` with PROJECT and ORGANIZATION as unbound Parameters."""
        return self._filter(self.declared_queryset(), reduce(or_, self._conditions({})))

    def disjoint_rows(self) -> list[QuerySet[M]]:
        """Return the declared rows as disjoint querysets, one per condition, each of which an index may sort."""
        queryset, conditions = self.declared_queryset(), self._conditions({})
        return [
            self._filter(queryset, reduce(lambda rest, before: rest & ~before, conditions[:index], condition))
            for index, condition in enumerate(conditions)
        ]

    def _filter(self, queryset: QuerySet[M], condition: Q) -> QuerySet[M]:
        return queryset.filter(condition, **({} if self.action in self.includes_hidden else self.shown))

    def _conditions(self, values: Mapping[str, Any]) -> list[Q]:
        """Return the conditions of `rows` with these values of their Parameters; others stay unbound."""
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
        """Return the level that this request requires."""
        return self.write_level if self.action and self.request.method in WRITING_METHODS else Level.MEMBER


class OrganizationScopedViewSet(TenantScopedViewSet[M]):
    """Endpoints under `/api/organizations/:organization_id/`."""

    _unknown: ClassVar[str] = "Organization not found."

    def tenant_url_kwarg(self) -> str:
        return "organization_id"

    def resolve_tenant(self) -> Tenant:
        if self.access.organization is None:
            raise NotFound(self._unknown)
        return Tenant(self.access.organization, self.access.level)
