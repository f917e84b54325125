"""Peer `a`: the API as most people would write it, ModelViewSets; gunicorn runs it."""

from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import Model, OuterRef, Prefetch, Q, Subquery
from django.urls import include, path
from rest_framework.filters import SearchFilter
from rest_framework.routers import DefaultRouter
from rest_framework.viewsets import ModelViewSet

from annotations.models import Annotation
from cohorts.models import Calculation, Cohort
from core6.accounts.models import Level, Membership
from core6.activity.models import ActivityLog
from core6.analytics.models import Experiment
from projects.models import Project
from roles.models import Role, RoleMembership
from tests.suites.benchmarks.peers import drf_serializers
from tests.suites.benchmarks.peers.drf_access import CURRENT, IsMember


class ScopedViewSet(ModelViewSet):
    permission_classes = (IsMember,)
    scope = ""
    level = Level.MEMBER
    membership: Membership


class AnnotationViewSet(ScopedViewSet):
    scope = "annotation"
    serializer_class = drf_serializers.AnnotationSerializer
    queryset = Annotation.objects.select_related("dashboard", "dashboard_item", "created_by").order_by(
        "-date_marker", "-id"
    )
    filter_backends = (SearchFilter,)
    search_fields = ("content",)

    def get_queryset(self) -> Any:
        shared = Q(scope=Annotation.Scope.ORGANIZATION, organization=self.membership.organization_id)
        rows = super().get_queryset().filter(Q(project=self.kwargs["project_id"]) | shared)
        # By PATCH a deleted one is restored.
        return rows if self.action == "partial_update" else rows.filter(deleted=False)

    @transaction.atomic
    def perform_create(self, serializer: Any) -> None:
        organization, project = self.membership.organization_id, self.kwargs["project_id"]
        note = serializer.save(organization_id=organization, project_id=project, created_by=self.request.user)
        self._log(note, "created", None)

    @transaction.atomic
    def perform_update(self, serializer: Any) -> None:
        before = {name: getattr(serializer.instance, name) for name in serializer.validated_data}
        note = serializer.save()
        if changes := _changes(before, serializer.validated_data):
            self._log(note, "updated", changes)

    def _log(self, note: Annotation, activity: str, changes: list[dict[str, Any]] | None) -> None:
        context = {
            "scope": note.scope,
            "dashboard_id": note.dashboard_id,
            "dashboard_name": note.dashboard.name if note.dashboard else None,
            "dashboard_item_id": note.dashboard_item_id,
            "dashboard_item_short_id": note.dashboard_item.short_id if note.dashboard_item else None,
            "dashboard_item_name": note.dashboard_item.name if note.dashboard_item else None,
        }
        ActivityLog.objects.create(
            organization_id=self.membership.organization_id,
            project_id=self.kwargs["project_id"],
            user_id=self.request.user.pk,
            scope="Annotation",
            item_id=str(note.pk),
            activity=activity,
            detail={"changes": changes, "name": note.content, "context": context},
        )


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    pairs = [(name, _plain(before[name]), _plain(after[name])) for name in after]
    return [
        {
            "type": "Annotation",
            "action": "created" if old is None else "deleted" if new is None else "changed",
            "field": name,
            "before": old,
            "after": new,
        }
        for name, old, new in pairs
        if old != new
    ]


def _plain(value: Any) -> Any:
    """Return what JSON has for a value of a field."""
    if isinstance(value, Model):
        return value.pk
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


class RoleViewSet(ScopedViewSet):
    scope = "organization"
    serializer_class = drf_serializers.RoleSerializer
    queryset = (
        Role.objects.select_related("organization", "created_by")
        .prefetch_related(
            Prefetch(
                "members",
                RoleMembership.objects.select_related("organization_member__user").order_by("joined_at", "id"),
            )
        )
        .order_by("created_at", "id")
    )

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(organization=self.kwargs["organization_id"])


class CohortViewSet(ScopedViewSet):
    scope = "cohort"
    serializer_class = drf_serializers.CohortSerializer
    queryset = (
        Cohort.objects.select_related("created_by")
        .annotate(  # type: ignore[no-redef]  # over attributes of the class
            error_code=Subquery(
                Calculation.objects.filter(cohort=OuterRef("pk"), error__gt="")
                .order_by("-started_at")
                .values("error_code")[:1]
            ),
            experiment_ids=ArraySubquery(
                Experiment.objects.filter(exposure_cohort=OuterRef("pk")).order_by("pk").values("pk")
            ),
        )
        .order_by("-created_at", "-id")
    )

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(project=self.kwargs["project_id"], deleted=False)


class ProjectViewSet(ScopedViewSet):
    scope = "project"
    lookup_url_kwarg = "project_id"
    serializer_class = drf_serializers.ProjectSerializer
    queryset = Project.objects.prefetch_related("product_intents")


def _routes(name: str, view: type[ScopedViewSet]) -> Any:
    router = DefaultRouter()
    router.register(name, view)
    return include(router.urls)


urlpatterns = [
    path("api/projects/<int:project_id>/", ProjectViewSet.as_view({"get": "retrieve"})),
    path("api/projects/<int:project_id>/", _routes("annotations", AnnotationViewSet)),
    path(f"api/projects/{CURRENT}/", _routes("annotations", AnnotationViewSet), {"project_id": CURRENT}),
    path("api/projects/<int:project_id>/", _routes("cohorts", CohortViewSet)),
    path("api/organizations/<uuid:organization_id>/", _routes("roles", RoleViewSet)),
]
