"""The endpoints of roles and their memberships, under `/api/organizations/:organization_id/roles/`."""

from functools import cached_property

from django.db.models import Prefetch, QuerySet
from django.http import Http404
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.serializers import BaseSerializer

from core6.accounts.models import Level
from core6.api.ids import parse_uuid
from core6.api.scoping import OrganizationScopedViewSet
from core6.api.writes import AtomicCreate, AtomicDestroy, AtomicUpdate
from roles import documentation
from roles.models import Role, RoleMembership
from roles.serializers import RoleMembershipSerializer, RoleSerializer

MEMBERSHIPS = RoleMembership.objects.select_related("organization_member__user").order_by("joined_at", "id")


class RoleViewSet(
    ListModelMixin, AtomicCreate, RetrieveModelMixin, AtomicUpdate, AtomicDestroy, OrganizationScopedViewSet[Role]
):
    """Create, read, update and delete roles: named groups of an organization's members."""

    scope = "organization"
    operations = documentation.ROLES
    write_level = Level.ADMIN
    queryset = (
        Role.objects.select_related("organization", "created_by")
        .prefetch_related(Prefetch("members", MEMBERSHIPS))
        .order_by("created_at", "id")
    )
    serializer_class = RoleSerializer

    def in_scope(self, queryset: QuerySet[Role]) -> QuerySet[Role]:
        return queryset.filter(organization=self.tenant.organization)

    def perform_create(self, serializer: BaseSerializer[Role]) -> None:
        serializer.save(organization=self.tenant.organization, created_by=self.caller)


class RoleMembershipViewSet(
    ListModelMixin, AtomicCreate, RetrieveModelMixin, AtomicDestroy, OrganizationScopedViewSet[RoleMembership]
):
    """Put members into a role and take them out (contract D.5)."""

    scope = "organization"
    operations = documentation.MEMBERSHIPS
    write_level = Level.ADMIN
    queryset = MEMBERSHIPS
    serializer_class = RoleMembershipSerializer

    @cached_property
    def role(self) -> Role:
        """Return the role of the URL; an unknown one, or one of another organization, is 404 (D26)."""
        key = parse_uuid(self.kwargs["role_id"])
        role = key and Role.objects.filter(organization=self.tenant.organization, pk=key).first()
        if not role:
            raise Http404
        return role

    def in_scope(self, queryset: QuerySet[RoleMembership]) -> QuerySet[RoleMembership]:
        return queryset.filter(role=self.role)

    def perform_create(self, serializer: BaseSerializer[RoleMembership]) -> None:
        serializer.save(role=self.role)
