"""An annotation as JSON: the 15 fields of the public API's page in its order."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers

from annotations.models import Annotation
from core6.analytics.models import Dashboard, Insight
from core6.api.echo import is_same_row
from core6.api.number_fields import IntegerField, PrimaryKeyRelatedField
from core6.api.serializers import ModelSerializer, UserBasicSerializer


class InsightField(PrimaryKeyRelatedField[Insight]):
    """The id of an insight of the project that is not deleted, or the current id of the annotation."""

    def get_queryset(self) -> QuerySet[Insight]:
        return Insight.objects.filter(project=self.context["project_id"], deleted=False)

    def to_internal_value(self, data: Any) -> Insight:
        current: Insight | None = getattr(self.parent.instance, "dashboard_item", None)
        return current if current and is_same_row(current, data) else super().to_internal_value(data)


class AnnotationSerializer(ModelSerializer[Annotation]):
    """An annotation: a note on a point in time."""

    dashboard_item = InsightField(
        queryset=Insight.objects.none(),
        required=False,
        allow_null=True,
        help_text="ID of the insight of the annotation.",
    )
    dashboard_id = IntegerField(required=False, allow_null=True, help_text="ID of the dashboard of the annotation.")
    dashboard_name = serializers.CharField(
        source="dashboard.name", read_only=True, allow_null=True, help_text="Name of the dashboard."
    )
    insight_short_id = serializers.CharField(
        source="dashboard_item.short_id",
        read_only=True,
        allow_null=True,
        help_text="Short ID of the insight, as in its URL.",
    )
    insight_name = serializers.CharField(
        source="dashboard_item.name", read_only=True, allow_null=True, help_text="Name of the insight."
    )
    insight_derived_name = serializers.CharField(
        source="dashboard_item.derived_name",
        read_only=True,
        allow_null=True,
        help_text="Generated name of the insight, for an insight without a name.",
    )
    created_by = UserBasicSerializer(
        read_only=True, allow_null=True, help_text="The user who created the annotation. Null if unknown or deleted."
    )

    class Meta:
        model = Annotation
        fields = (
            "id",
            "content",
            "date_marker",
            "creation_type",
            "dashboard_item",
            "dashboard_id",
            "dashboard_name",
            "insight_short_id",
            "insight_name",
            "insight_derived_name",
            "created_by",
            "created_at",
            "updated_at",
            "deleted",
            "scope",
        )
        read_only_fields = ("id", "created_at", "updated_at")
        extra_kwargs: ClassVar = {
            "id": {"help_text": "ID of the annotation."},
            "created_at": {"help_text": "When the annotation was created."},
            "updated_at": {"help_text": "When the annotation was last changed."},
            "content": {"help_text": "Text of the annotation."},
            "date_marker": {"help_text": "The point in time that the annotation marks."},
            "creation_type": {"help_text": "Creator of the annotation: a user, or a bot that announces releases."},
            "deleted": {
                "help_text": "Whether the annotation is deleted. Set it to `true` to delete the annotation, and to"
                " `false` to restore it."
            },
            "scope": {
                "help_text": "Where the annotation is shown: on an insight, on a dashboard, in the project or in the"
                " whole organization. `recording` is deprecated and refused."
            },
        }

    def validate_dashboard_id(self, value: int | None) -> int | None:
        current = self.instance.dashboard if self.instance else None
        if value is None or is_same_row(current, value):
            return value
        project = self.context["project_id"]
        if not Dashboard.objects.filter(pk=value, project=project, deleted=False).exists():
            raise serializers.ValidationError("Dashboard not found.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("scope") == Annotation.Scope.RECORDING:
            raise serializers.ValidationError("Recording scope is deprecated")
        return attrs
