"""The activity log in the console, read-only."""

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from core6.activity.models import ActivityLog
from core6.console.site import ReadOnlyAdmin, as_json
from core6.console.times import when


class ActivityLogAdmin(ReadOnlyAdmin):
    """All changes by the API, or by buttons of the console."""

    list_display = ("time", "activity", "scope", "name", "item_id", "user", "project", "organization")
    list_filter = ("scope", "activity", "created_at")
    search_fields = ("item_id", "user__email", "project__name", "organization__name")
    # The ids are in the order of time, and indexed.
    ordering = ("-id",)
    time = when("created_at", "Time")
    # Without a count, which would be slow in an append-only table.
    paginator = InfinitePaginator
    fields = ("created_at", "activity", "scope", "name", "item_id", "user", "project", "organization", "detail_shown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ActivityLog]:
        return super().get_queryset(request).select_related("user", "project", "organization")

    @display(description="Name")
    def name(self, row: ActivityLog) -> str:
        return str(row.detail.get("name") or "")[:120]

    @display(description="Detail")
    def detail_shown(self, row: ActivityLog) -> str:
        return as_json(row.detail)
