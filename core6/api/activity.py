"""Base classes of resources that log their changes, and list them at `…/activity/` and `…/:id/activity/` (D37)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar, cast

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from core6.activity.models import ActivityLog, Change, activity_of, changes_of
from core6.activity.serializers import ActivityLogSerializer
from core6.api.numbers import has_plain_digits
from core6.api.page_sizes import FittingRows
from core6.api.pagination import page_link, page_schema, without_key
from core6.api.serializers import ModelSerializer
from core6.api.tenant_viewsets import TenantScopedViewSet
from core6.database.rows import Companion, insert

M = TypeVar("M", bound=Model)


class ActivityPagination(PageNumberPagination):
    """`{"results", "next", "previous", "total_count"}`, by `?page=` of `?limit=` rows.

    If a page would be larger than 20 MB, it has fewer rows, and the link to the next page has that smaller limit.
    """

    page_size = 10
    page_size_query_param = "limit"
    max_page_size = 1000
    _next_page: Mapping[str, int] | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        shown: Any = FittingRows(queryset)
        rows: list[Any] | None = super().paginate_queryset(shown, request, view)
        begin, end = (self.page.start_index() - 1, self.page.end_index()) if self.page else (0, 0)
        if rows and begin + len(rows) < end:
            # Pages begin at multiples of the limit.
            limit = next(each for each in range(len(rows), 0, -1) if begin % each == 0)
            self._next_page = {"limit": limit, "page": begin // limit + 2}
            rows = rows[:limit]
        return rows

    def get_next_link(self) -> str | None:
        if self._next_page is None or self.request is None:
            return without_key(super().get_next_link())
        return page_link(self.request, self._next_page)

    def get_previous_link(self) -> str | None:
        return without_key(super().get_previous_link())

    def get_page_size(self, request: Request) -> int | None:
        is_readable = has_plain_digits(request.query_params.get("limit", ""))
        return super().get_page_size(request) if is_readable else self.page_size

    def get_page_number(self, request: Request, paginator: Any) -> Any:
        number = super().get_page_number(request, paginator)
        return number if has_plain_digits(str(number)) else ""  # which is an invalid page

    def get_paginated_response(self, data: Any) -> Response:
        envelope = super().get_paginated_response(data).data
        return Response(
            {
                "results": envelope["results"],
                "next": envelope["next"],
                "previous": envelope["previous"],
                "total_count": envelope["count"],
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return page_schema(schema, "total_count")


class ActivityShown(TenantScopedViewSet[M]):
    """Lists the changes of one object at `…/:id/activity/`, newest first."""

    #: The `scope` of the rows of this kind of object, such as `Annotation`.
    activity_scope: ClassVar[str]

    @extend_schema(responses=ActivityLogSerializer(many=True))
    @action(
        detail=True, serializer_class=ActivityLogSerializer, pagination_class=ActivityPagination, filter_backends=[]
    )
    def activity(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the changes of one object, newest first."""
        instance = self.get_object()
        return self.activity_page(ActivityLog.objects.filter(scope=self.activity_scope, item_id=str(instance.pk)))

    def activity_page(self, rows: QuerySet[ActivityLog]) -> Response:
        page = self.paginate_queryset(rows.select_related("user").order_by("-created_at", "-id"))  # type: ignore[arg-type]
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def required_scopes(self) -> Sequence[str]:
        return ("activity_log:read",) if self.action in ("activity", "all_activity") else super().required_scopes()


class ActivityLogging(TenantScopedViewSet[M]):
    """Logs every create, and every update that changes something, in its transaction."""

    #: The `scope` of the rows of this kind of object, such as `Annotation`.
    activity_scope: ClassVar[str]

    def activity_detail(self, instance: M) -> dict[str, Any]:
        """Return the details of the object in a row, beside its changes: at least `name`."""
        raise NotImplementedError

    def activity_verb(self, fields: Mapping[str, Any]) -> str:
        """Return the verb for an update that changes these fields."""
        return "updated"

    def save_and_log(self, serializer: BaseSerializer[M], **owners: Any) -> None:
        """Save the validated data and `owners`, and log the change in the same statement."""
        before = serializer.instance
        changes = None
        if before is not None:
            changes = changes_of(before, {**serializer.validated_data, **owners}, self.activity_scope)
        verb = "created" if changes is None else self.activity_verb({each["field"]: each["after"] for each in changes})
        saving = cast("ModelSerializer[M]", serializer)
        if changes != []:
            saving.companion = lambda instance: Companion(self._entry(instance, verb, changes), "item_id")
        instance = saving.save(**owners)
        if saving.companion:  # the serializer did not store it together with the instance
            insert(saving.companion(instance).row)

    def log(self, instance: M, activity: str, changes: list[Change] | None = None) -> None:
        """Log that something happened to the object."""
        insert(self._entry(instance, activity, changes))

    def _entry(self, instance: M, activity: str, changes: list[Change] | None) -> ActivityLog:
        return activity_of(
            organization_id=self.tenant.organization.pk,
            project_id=self.tenant.project_id,
            user_id=self.request.user.pk,
            scope=self.activity_scope,
            item_id=instance.pk,
            activity=activity,
            detail={"changes": changes, **self.activity_detail(instance)},
        )


class ActivityLogged(ActivityLogging[M], ActivityShown[M]):
    """Logs the changes of a project's objects, and lists those of one object and of all."""

    @extend_schema(responses=ActivityLogSerializer(many=True))
    @action(
        detail=False,
        url_path="activity",
        serializer_class=ActivityLogSerializer,
        pagination_class=ActivityPagination,
        filter_backends=[],
    )
    def all_activity(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the changes of this kind of object in the project, newest first."""
        return self.activity_page(ActivityLog.objects.filter(project=self.tenant.project_id, scope=self.activity_scope))
