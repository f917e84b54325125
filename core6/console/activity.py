"""The activity log in the console, read-only: everything that anyone changed, by the API, the console or a command."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from core6.activity.models import ActivityLog
from core6.console import changes
from core6.console.site import ReadOnlyAdmin
from core6.console.times import when


class KindFilter(SimpleListFilter):
    """Filters changes by the kind of object; several scopes, by comma, are a history."""

    title = "kind"
    parameter_name = "scope"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(changes.KINDS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset.filter(scope__in=chosen.split(",")) if chosen else queryset


class ActivityLogAdmin(ReadOnlyAdmin):
    """All changes; the history of an object is a filter of them."""

    activity_scope = "Activity"
    plural = "Activity"
    list_before_template = "core6/console/history.html"
    list_display = ("time", "kind", "name", "verb", "author", "project", "organization")
    list_filter = (KindFilter, "activity", "created_at")
    search_fields = ("item_id", "user__email", "project__name", "organization__name")
    # The ids are in the order of time, and indexed.
    ordering = ("-id",)
    time = when("created_at", "Time")
    # Without a count, which would be slow in an append-only table.
    paginator = InfinitePaginator
    fields = ("created_at", "kind", "name", "verb", "author", "project", "organization", "item_id", "changes_shown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ActivityLog]:
        return super().get_queryset(request).select_related("user", "project", "organization")

    def name_of(self, obj: Any) -> str:
        return changes.sentence(obj)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Redirect to all changes of the object that was changed."""
        address = reverse("admin:activity_activitylog_changelist")
        row = self.get_object(request, object_id)
        query = f"?{urlencode({'scope': row.scope, 'item_id': row.item_id})}" if row else ""
        return HttpResponseRedirect(address + query)

    @display(description="Kind", ordering="scope")
    def kind(self, row: ActivityLog) -> str:
        return changes.kind(row)

    @display(description="Name")
    def name(self, row: ActivityLog) -> str:
        return changes.name(row)

    @display(description="What", ordering="activity")
    def verb(self, row: ActivityLog) -> str:
        return changes.verb(row)

    @display(description="By", ordering="user")
    def author(self, row: ActivityLog) -> str:
        return str(row.user) if row.user else "a command, or a user who is gone"

    @display(description="Changes")
    def changes_shown(self, row: ActivityLog) -> str:
        return changes.table(row)
