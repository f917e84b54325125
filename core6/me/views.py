"""The endpoints of the caller: the user, the key, the organizations with their members."""

from typing import ClassVar

from django.db.models import Count, Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.exceptions import PermissionDenied

from core6.accounts.models import Membership, Organization, PersonalAPIKey, User
from core6.api.reads import List, Retrieve
from core6.api.serializers import OrganizationMemberSerializer
from core6.api.tenant_viewsets import OrganizationScopedViewSet
from core6.api.tenants import PROJECTS_ONLY, membership_level, organizations_of
from core6.api.viewsets import ScopedViewSet
from core6.database.prepared import ORGANIZATION
from core6.me import documentation
from core6.me.serializers import OrganizationSerializer, PersonalAPIKeySerializer, UserSerializer
from projects.models import Project


@documentation.users
class UserViewSet(Retrieve, ScopedViewSet[User]):
    """The caller: `/api/users/@me/`, for restricted keys, too."""

    scope = "user"
    queryset = User.objects.all()
    serializer_class = UserSerializer

    def get_object(self) -> User:
        return self.caller


@documentation.keys
class PersonalAPIKeyViewSet(Retrieve, ScopedViewSet[PersonalAPIKey]):
    """The key of the request: `/api/personal_api_keys/@current/`, which requires no scope."""

    scope = "user"
    action_scopes: ClassVar = {"retrieve": ()}
    queryset = PersonalAPIKey.objects.all()
    serializer_class = PersonalAPIKeySerializer

    def get_object(self) -> PersonalAPIKey:
        return self.key


@documentation.organizations
class OrganizationViewSet(List, Retrieve, ScopedViewSet[Organization]):
    """The organizations of the caller; any other one is 404."""

    scope = "organization"
    queryset = Organization.objects.prefetch_related(Prefetch("projects", Project.objects.order_by("pk"))).order_by(
        "created_at", "pk"
    )
    serializer_class = OrganizationSerializer

    def check_restrictions(self) -> None:
        if self.key.scoped_teams:
            raise PermissionDenied(PROJECTS_ONLY)

    def in_scope(self, queryset: QuerySet[Organization]) -> QuerySet[Organization]:
        rows = queryset.annotate(
            caller_level=membership_level(self.caller, "pk"), member_count=Count("memberships", distinct=True)
        ).filter(caller_level__isnull=False)
        allowed = self.key.scoped_organizations
        return rows.filter(pk__in=allowed) if allowed else rows

    def get_object(self) -> Organization:
        named = organizations_of(self.caller, self.kwargs["id"])
        return get_object_or_404(self.get_queryset(), pk__in=named.values("pk")[:1])


@documentation.members
class MemberViewSet(List, OrganizationScopedViewSet[Membership]):
    """The members of an organization, for its members."""

    scope = "organization_member"
    rows = ({"organization": ORGANIZATION},)
    ordering = ("joined_at", "id")
    related = ("user",)
    queryset = Membership.objects.all()
    serializer_class = OrganizationMemberSerializer
