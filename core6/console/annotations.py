"""Annotations in the console."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from annotations.models import Annotation
from annotations.views import AnnotationViewSet
from core6.activity.models import activity_of, changes_of
from core6.console.site import ConsoleAdmin
from core6.console.timeline import timeline
from core6.console.times import when
from core6.database.rows import insert

_SHOWN = 120


class AnnotationAdmin(ConsoleAdmin):
    """Content, date marker and `deleted` of annotations can be changed, as in the API."""

    activity_scope = AnnotationViewSet.activity_scope
    list_before_template = "core6/console/timeline.html"
    list_display = ("content_shown", "project", "scope", "marked", "created_by", "created", "deleted")
    list_filter = ("scope", "deleted", "creation_type", "date_marker", "created_at")
    search_fields = ("content", "project__name", "created_by__email")
    ordering = ("-pk",)  # by an existing index, for many rows
    fields = (
        *("content", "date_marker", "deleted", "id", "project", "organization", "scope", "creation_type"),
        *("dashboard", "dashboard_item", "created_by", "created_at", "updated_at"),
    )
    readonly_fields = fields[3:]
    marked = when("date_marker", "Date marker", "none")
    created = when("created_at", "Created", "unknown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Annotation]:
        shown = ("project", "organization", "dashboard", "dashboard_item", "created_by")
        return super().get_queryset(request).select_related(*shown)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Draw the annotations of the page on a line of time, above the list."""
        response: HttpResponse = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None)
        if context and "cl" in context:
            context["timeline"] = timeline(context["cl"].result_list)
        return response

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Save, and add the change to the activity log in the same transaction, as the API does."""
        if not form.changed_data:
            return
        before = Annotation.objects.select_for_update().get(pk=obj.pk)
        sent = {name: form.cleaned_data[name] for name in form.changed_data}
        changes = changes_of(before, sent, AnnotationViewSet.activity_scope)
        obj.save(update_fields=[*form.changed_data, "updated_at"])
        insert(
            activity_of(
                organization_id=obj.organization_id,
                project_id=obj.project_id,
                user_id=request.user.pk,
                scope=AnnotationViewSet.activity_scope,
                item_id=obj.pk,
                activity="updated",
                detail={"changes": changes, **AnnotationViewSet().activity_detail(obj)},
            )
        )

    @display(description="Content", ordering="content")
    def content_shown(self, annotation: Annotation) -> str:
        text = annotation.content or "(empty)"
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
