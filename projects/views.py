"""The endpoints of projects, under `/api/organizations/:organization_id/projects/` and `/api/projects/`."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from core6 import jobs
from core6.accounts import scopes
from core6.accounts.models import Level, User
from core6.analytics.models import GroupType
from core6.api.activity import ActivityShown
from core6.api.filters import SearchFilter
from core6.api.ids import CURRENT
from core6.api.reads import List, Retrieve
from core6.api.repeatable import repeatable
from core6.api.tenant_viewsets import TenantScopedViewSet
from core6.api.tenants import PROJECTS_ONLY, Tenant, organizations_of
from core6.api.writes import AtomicCreate, AtomicDestroy, AtomicUpdate
from core6.database.prepared import ORGANIZATION
from projects import tokens
from projects.activity import log_deleted
from projects.documentation import documented, documented_for_all
from projects.models import Project
from projects.onboarding import OnboardingErrorSerializer, OnboardingSerializer, complete_onboarding, create_project
from projects.related import ProjectBasicSerializer
from projects.scoping import projects_of
from projects.serializers import (
    LEVEL_TOO_LOW,
    WRITABLE,
    CompleteOnboardingSerializer,
    ProjectDemoDataSerializer,
    ProjectSerializer,
)

TOKEN_ACTIONS = (
    "reset_token",
    "rotate_secret_token",
    "delete_secret_token_backup",
    "generate_conversations_public_token",
)
#: The project fields that require the scope `project:write` in `complete_product_onboarding`.
_REQUIRING_WRITE = WRITABLE - {"has_completed_onboarding_for"}


@documented
class ProjectViewSet(List, AtomicCreate, Retrieve, AtomicUpdate, AtomicDestroy, ActivityShown[Project]):
    """Projects of an organization, and the actions on their tokens and onboarding."""

    scope = "project"
    action_scopes: ClassVar = {"complete_product_onboarding": ("project:read",)}
    levels: ClassVar = dict.fromkeys(("create", "destroy", *TOKEN_ACTIONS), Level.ADMIN)
    unprefixed_operations: ClassVar[Collection[str]] = (
        *TOKEN_ACTIONS,
        "complete_product_onboarding",
        "is_generating_demo_data",
    )
    actions_returning_object = (
        *TenantScopedViewSet.actions_returning_object,
        *TOKEN_ACTIONS,
        "complete_product_onboarding",
    )
    activity_scope = "Team"
    rows = ({"organization": ORGANIZATION},)
    ordering = ("pk",)
    related = ("organization",)
    annotated: ClassVar = {"has_group_types": Exists(GroupType.objects.filter(project=OuterRef("pk")))}
    queryset = Project.objects.all()
    prefetched: ClassVar = {"group_types": GroupType.objects.order_by("group_type_index")}
    serializer_class = ProjectSerializer
    serializer_classes: ClassVar = {"list": ProjectBasicSerializer}
    filter_backends = (SearchFilter,)
    filtered = ("list",)
    search_fields = ("name",)

    def tenant_url_kwarg(self) -> str | None:
        return "id" if self.detail else "organization_id"

    def resolve_tenant(self) -> Tenant:
        """Return the organization of a list, or the project itself (D23)."""
        access, segment = self.access, self.kwargs.get("organization_id")
        if not self.detail:
            if access.organization is None:
                raise NotFound("Organization not found.")
            return Tenant(access.organization, access.level)
        if access.organization and segment in (None, str(access.organization.pk)):
            return Tenant(access.organization, access.level, access.project_id)
        projects = projects_of(self.caller, self.kwargs["id"])
        if segment is not None:
            projects = projects.filter(organization__in=organizations_of(self.caller, segment).values("pk")[:1])
        project = projects.first()
        if project is not None:
            return Tenant(project.organization, project.caller_level, project.pk)
        if segment is not None and not organizations_of(self.caller, segment).exists():
            raise NotFound("Organization not found.")
        raise NotFound

    @repeatable
    def object_id(self) -> int | None:
        return self.tenant.project_id

    def check_level(self) -> None:
        if self.detail and self.tenant.level is None:
            raise NotFound
        super().check_level()

    @property
    def level_too_low(self) -> str:  # type: ignore[override]  # it depends on the action here
        if self.detail:
            return LEVEL_TOO_LOW
        return TenantScopedViewSet.level_too_low

    def required_level(self) -> int:
        if self.action == "create" and self._is_demo():
            return Level.MEMBER
        return self.levels.get(self.action, Level.MEMBER)

    def _is_demo(self) -> bool:
        """Return whether the request is for a demo project, which every member may create."""
        sent: Any = self.request.data
        return isinstance(sent, Mapping) and str(sent.get("is_demo")).lower() in ("true", "1")

    def perform_create(self, serializer: BaseSerializer[Project]) -> None:
        organization, fields = self.tenant.organization, serializer.validated_data
        serializer.instance = create_project(organization=organization, user=self.caller, **fields)

    def perform_destroy(self, instance: Project) -> None:
        key = instance.pk
        log_deleted(instance, self.caller)
        instance.delete()
        jobs.enqueue("core6.tasks.delete_people", lock=f"people:{key}", is_unique=True, project_id=key)

    @extend_schema(
        request=CompleteOnboardingSerializer, responses={200: ProjectSerializer, 400: OnboardingErrorSerializer}
    )
    @action(detail=True, methods=["patch"])
    def complete_product_onboarding(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Record a completed onboarding of a product (D4)."""
        data = request.data
        # Not is_valid, which would convert every error to a ValidationError.
        onboarding = OnboardingSerializer().run_validation(data)
        if set(data) & _REQUIRING_WRITE and not scopes.grants(self.key.scopes, "project:write"):
            raise PermissionDenied("API key missing required scope 'project:write'")

        def complete(project: Project, _: User) -> None:
            if "product_type" in onboarding:
                complete_onboarding(project, onboarding["product_type"], onboarding.get("intent_context"))

        return self._act(request, complete)

    @action(detail=True, methods=["patch"])
    def reset_token(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Give the project a new `api_token`; the old one is invalid at once."""
        return self._act(request, tokens.reset_api_token)

    @action(detail=True, methods=["patch"])
    def rotate_secret_token(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Give the project a new secret token; the previous one becomes the backup."""
        return self._act(request, tokens.rotate_secret_token)

    @action(detail=True, methods=["patch"])
    def delete_secret_token_backup(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Revoke the backup of the project's secret token."""
        return self._act(request, tokens.delete_secret_token_backup)

    @extend_schema(responses={200: ProjectSerializer})
    @action(detail=True, methods=["post"])
    def generate_conversations_public_token(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Give the project's conversations widget a new token."""
        return self._act(request, tokens.generate_conversations_public_token)

    @action(detail=True, serializer_class=ProjectDemoDataSerializer)
    def is_generating_demo_data(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return whether demo data is still being generated for the project."""
        found: Response = self.retrieve(request)
        return found

    def _act(self, request: Request, act: Callable[[Project, User], None]) -> Response:
        """Apply the settings of the body, then the action, in one transaction (D3); return the whole project."""
        data = request.data
        with transaction.atomic():
            serializer = self.get_serializer(self.get_object(), data=data, partial=True)
            serializer.is_valid(raise_exception=True)
            project = serializer.save()
            act(project, self.caller)
            return Response(self.get_serializer(project).data)


class RootProjectViewSet(ProjectViewSet):
    """A project of any organization, by its id."""

    unprefixed_operations: ClassVar[Collection[str]] = ()


@documented_for_all
class AllProjectsViewSet(RootProjectViewSet):
    """All projects of the caller; a new one belongs to the current organization."""

    def tenant_url_kwarg(self) -> str | None:
        return None

    def resolve_tenant(self) -> Tenant:
        organization = organizations_of(self.caller, CURRENT).first()
        if organization is None:
            raise NotFound("Organization not found.")
        return Tenant(organization, organization.caller_level)

    def check_restrictions(self) -> None:
        if self.request.method == "POST":
            super().check_restrictions()
        elif self.key.scoped_teams:
            raise PermissionDenied(PROJECTS_ONLY)

    def check_level(self) -> None:
        if self.request.method == "POST":
            super().check_level()

    def in_scope(self, queryset: QuerySet[Project]) -> QuerySet[Project]:
        rows = queryset.filter(organization__memberships__user=self.caller)
        allowed = self.key.scoped_organizations
        return rows.filter(organization__in=allowed) if allowed else rows
