"""The endpoints of roles and their memberships, under `/api/organizations/:organization_id/roles/`."""

from functools import cached_property
from typing import Any, ClassVar

from django.db.models import BooleanField, Case, F, QuerySet, Value, When
from django.http import Http404
from rest_framework.serializers import BaseSerializer

from core6.accounts.models import Level
from core6.api.activity import ActivityLogging
from core6.api.ids import parse_uuid
from core6.api.reads import List, Retrieve
from core6.api.tenant_viewsets import OrganizationScopedViewSet
from core6.api.writes import AtomicCreate, AtomicDestroy, AtomicUpdate
from core6.database.prepared import ORGANIZATION
from roles import documentation
from roles.models import Role, RoleMembership
from roles.serializers import RoleMembershipSerializer, RoleSerializer

MEMBERSHIPS = RoleMembership.objects.select_related("organization_member__user").order_by("joined_at", "id")


@documentation.roles
class RoleViewSet(
    List,
    AtomicCreate,
    Retrieve,
    AtomicUpdate,
    AtomicDestroy,
    ActivityLogging[Role],
    OrganizationScopedViewSet[Role],
):
    """Create, read, update and delete roles: named groups of an organization's members."""

    scope = "organization"
    activity_scope = "Role"
    write_level = Level.ADMIN
    rows = ({"organization": ORGANIZATION},)
    ordering = ("created_at", "id")
    related = ("created_by",)
    annotated: ClassVar = {
        "is_default": Case(
            When(organization__default_role=F("pk"), then=True), default=Value(False), output_field=BooleanField()
        )
    }
    queryset = Role.objects.all()
    prefetched: ClassVar = {"members": MEMBERSHIPS}
    serializer_class = RoleSerializer

    def perform_create(self, serializer: BaseSerializer[Role]) -> None:
        self.save_and_log(serializer, organization=self.tenant.organization, created_by=self.caller)

    def perform_update(self, serializer: BaseSerializer[Role]) -> None:
        self.save_and_log(serializer)

    def perform_destroy(self, instance: Role) -> None:
        self.log(instance, "deleted")
        super().perform_destroy(instance)

    def activity_detail(self, instance: Role) -> dict[str, Any]:
        return {"name": instance.name}


@documentation.memberships
class RoleMembershipViewSet(
    List,
    AtomicCreate,
    Retrieve,
    AtomicDestroy,
    ActivityLogging[RoleMembership],
    OrganizationScopedViewSet[RoleMembership],
):
    """Add members to a role and remove them."""

    scope = "organization"
    activity_scope = "RoleMembership"
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
        self.save_and_log(serializer, role=self.role)

    def perform_destroy(self, instance: RoleMembership) -> None:
        self.log(instance, "deleted")
        super().perform_destroy(instance)

    def activity_detail(self, instance: RoleMembership) -> dict[str, Any]:
        return {"name": f"{self.role.name}: {instance.organization_member.user}"}
