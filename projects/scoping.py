"""Base class of views below a project in the URL, such as annotations and cohorts."""

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, TypeVar

from django.db.models import Case, Model, Q, QuerySet, Subquery, When
from rest_framework.exceptions import NotFound

from core6.accounts.models import User
from core6.api.ids import CURRENT, number
from core6.api.tenant_viewsets import TenantScopedViewSet
from core6.api.tenants import CallerLevel, Tenant, membership_level, organizations_of
from projects.models import Project

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

M = TypeVar("M", bound=Model)


def projects_of(user: User, segment: str) -> "QuerySet[WithAnnotations[Project, CallerLevel]]":
    """Return the project of a path segment, with the caller's level in its organization as `caller_level`.

    `@current` is the one that the user viewed last, else the first one of the current organization.
    """
    projects = _with_level(user)
    if segment != CURRENT:
        key = number(segment)
        return projects.none() if key is None else projects.filter(pk=key)
    organization = Subquery(organizations_of(user, CURRENT).values("pk")[:1])
    is_current = Q(pk=user.current_project_id)
    return projects.filter(is_current | Q(organization=organization), caller_level__isnull=False).order_by(
        Case(When(is_current, then=0), default=1), "pk"
    )


def _with_level(user: User) -> "QuerySet[WithAnnotations[Project, CallerLevel]]":
    return Project.objects.select_related("organization").annotate(caller_level=membership_level(user, "organization"))


class ProjectScopedViewSet(TenantScopedViewSet[M]):
    """Endpoints under `/api/projects/:project_id/`: an unknown project is 404, a foreign one 403 (D23)."""

    not_a_member: ClassVar[str | None] = "You don't have access to the project."

    @cached_property
    def project(self) -> Project:
        """The project of the URL, without a query: only its ids are set."""
        organization, key = self.tenant.organization, self.tenant.project_id
        return Project.from_db(None, ["id", "organization_id"], [key, organization.pk])

    def tenant_url_kwarg(self) -> str:
        return "project_id"

    def resolve_tenant(self) -> Tenant:
        access = self.access
        if access.project_id is None or access.organization is None:
            raise NotFound("Project not found.")
        return Tenant(access.organization, access.level, access.project_id)
