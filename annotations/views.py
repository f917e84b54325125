"""The endpoints of annotations, under `/api/projects/:project_id/annotations/`."""

from typing import Any, ClassVar

from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.mixins import CreateModelMixin
from rest_framework.serializers import BaseSerializer

from annotations.documentation import documented
from annotations.filters import AnnotationFilter
from annotations.models import Annotation
from annotations.serializers import AnnotationSerializer
from core6.api.activity import ActivityLogged
from core6.api.filters import SearchFilter
from core6.api.pagination import LongPagination
from core6.api.reads import List, Retrieve
from core6.api.writes import AtomicUpdate, HardDeleteForbidden
from core6.database.prepared import ORGANIZATION, PROJECT
from projects.scoping import ProjectScopedViewSet


@documented
class AnnotationViewSet(
    HardDeleteForbidden,
    List,
    CreateModelMixin,
    Retrieve,
    AtomicUpdate,
    ActivityLogged[Annotation],
    ProjectScopedViewSet[Annotation],
):
    """Create, read, update and soft-delete annotations: notes on a point in time."""

    scope = "annotation"
    activity_scope = "Annotation"
    rows = ({"project": PROJECT}, {"organization": ORGANIZATION, "scope": Annotation.Scope.ORGANIZATION})
    shown: ClassVar = {"deleted": False}
    includes_hidden = ("partial_update", "activity")  # PATCH restores an annotation
    ordering = ("-date_marker", "-id")
    related = ("dashboard", "dashboard_item", "created_by")
    queryset = Annotation.objects.all()
    serializer_class = AnnotationSerializer
    pagination_class = LongPagination
    filter_backends = (DjangoFilterBackend, SearchFilter)
    filterset_class = AnnotationFilter
    search_fields = ("content",)

    def perform_create(self, serializer: BaseSerializer[Annotation]) -> None:
        self.save_and_log(
            serializer,
            organization=self.tenant.organization,
            project=self.project,
            created_by=self.request.user,
        )

    def perform_update(self, serializer: BaseSerializer[Annotation]) -> None:
        assert serializer.instance is not None
        scope = serializer.validated_data.get("scope", serializer.instance.scope)
        was_shared = serializer.instance.scope == Annotation.Scope.ORGANIZATION
        # D12: an annotation that is no longer shared belongs to the project in the URL of the PATCH.
        leaves = was_shared and scope != Annotation.Scope.ORGANIZATION
        self.save_and_log(serializer, **({"project": self.project} if leaves else {}))

    def activity_detail(self, instance: Annotation) -> dict[str, Any]:
        dashboard, insight = instance.dashboard, instance.dashboard_item
        return {
            "name": instance.content,
            "context": {
                "scope": instance.scope,
                "dashboard_id": instance.dashboard_id,
                "dashboard_name": dashboard.name if dashboard else None,
                "dashboard_item_id": instance.dashboard_item_id,
                "dashboard_item_short_id": insight.short_id if insight else None,
                "dashboard_item_name": insight.name if insight else None,
            },
        }
