"""The endpoints of cohorts, under `/api/projects/:project_id/cohorts/`."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import OuterRef
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from cohorts import changes
from cohorts.calculation.dependencies import lock_definitions
from cohorts.calculation.failures import last_failure
from cohorts.calculation.history import HistoryPagination
from cohorts.calculation.serializers import CalculationSerializer
from cohorts.documentation import documented
from cohorts.filters import CohortFilter
from cohorts.members.persons import CSVRenderer, PersonPagination, PersonSerializer, filter_persons, persons_of
from cohorts.models import Calculation, Cohort
from cohorts.serializers import CohortSerializer
from core6.analytics.models import Experiment
from core6.api.activity import ActivityLogged
from core6.api.reads import List, Retrieve
from core6.api.renderers import JSONRenderer
from core6.api.time_limits import SearchTooSlow, limited_persons
from core6.api.viewsets import NOT_ALLOWED
from core6.api.writes import AtomicCreate, AtomicUpdate, HardDeleteForbidden
from core6.database.prepared import PROJECT
from projects.scoping import ProjectScopedViewSet

DONE = inline_serializer("Success", {"success": serializers.BooleanField(help_text="Always true.")})


@documented
class CohortViewSet(
    HardDeleteForbidden,
    List,
    AtomicCreate,
    Retrieve,
    AtomicUpdate,
    ActivityLogged[Cohort],
    ProjectScopedViewSet[Cohort],
):
    """Create, read, update and soft-delete cohorts: sets of persons, by criteria or by lists."""

    scope = "cohort"
    action_scopes: ClassVar[Mapping[str, Sequence[str]]] = {
        "persons": ("cohort:read", "person:read"),
        "duplicate_as_static_cohort": ("cohort:write",),
    }
    unsafe_get_actions = ("duplicate_as_static_cohort",)
    activity_scope = "Cohort"
    rows = ({"project": PROJECT},)
    shown: ClassVar = {"deleted": False}
    # A deleted cohort can still be accessed by its id.
    includes_hidden = (
        *("retrieve", "update", "partial_update", "activity", "persons", "calculation_history"),
        *("add_persons_to_static_cohort", "remove_person_from_static_cohort", "duplicate_as_static_cohort"),
    )
    ordering = ("-created_at", "-id")
    related = ("created_by",)
    annotated: ClassVar = {
        "error_code": last_failure("error_code"),
        "experiment_ids": ArraySubquery(
            Experiment.objects.filter(exposure_cohort=OuterRef("pk")).order_by("pk").values("pk")
        ),
    }
    queryset = Cohort.objects.all()
    serializer_class = CohortSerializer
    filter_backends = (DjangoFilterBackend,)
    filterset_class = CohortFilter
    filtered = ("list",)

    def lock(self) -> None:
        """Lock the definitions of all cohorts of the project."""
        lock_definitions(self.project.pk)

    def perform_create(self, serializer: BaseSerializer[Cohort]) -> None:
        lock_definitions(self.project.pk)
        self.save_and_log(serializer, project=self.project, created_by=self.caller)
        changes.after_create(serializer)

    def perform_update(self, serializer: BaseSerializer[Cohort]) -> None:
        assert serializer.instance is not None
        before = changes.State.of(serializer.instance)
        if serializer.validated_data.get("deleted") and not before.deleted:
            changes.check_unused(serializer.instance)
        self.save_and_log(serializer)
        changes.after_update(serializer, before)

    def activity_detail(self, instance: Cohort) -> dict[str, Any]:
        return {"name": instance.name}

    def activity_verb(self, fields: Mapping[str, Any]) -> str:
        if "deleted" not in fields:
            return "updated"
        return "deleted" if fields["deleted"] else "restored"

    @extend_schema(
        responses={
            (200, "application/json"): PersonSerializer(many=True),
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR),
        },
        parameters=[
            OpenApiParameter(
                "search",
                OpenApiTypes.STR,
                description="Return only persons whose email, name, UUID or distinct ID contains this text.",
            ),
            OpenApiParameter(
                "properties", OpenApiTypes.STR, description="Return only persons who match these filters: a JSON list."
            ),
            OpenApiParameter(
                "is_csv_export", OpenApiTypes.BOOL, description="If present, with any value, return a CSV table."
            ),
        ],
    )
    @action(
        detail=True,
        serializer_class=PersonSerializer,
        pagination_class=PersonPagination,
        filter_backends=[],
        renderer_classes=[JSONRenderer, CSVRenderer],
    )
    def persons(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the members, the newest person first."""
        cohort = self.get_object()
        persons = filter_persons(persons_of(cohort), cohort.project_id, request.query_params.dict())
        with limited_persons(cohort.project_id, SearchTooSlow):
            page = self.paginate_queryset(persons)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        if self.action == "persons" and "is_csv_export" in request.query_params:
            return CSVRenderer(), CSVRenderer.media_type
        return super().perform_content_negotiation(request, force)

    @extend_schema(responses=CalculationSerializer(many=True))
    @action(detail=True, serializer_class=CalculationSerializer, pagination_class=HistoryPagination, filter_backends=[])
    def calculation_history(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the runs of the calculation, newest first."""
        runs = Calculation.objects.filter(cohort=self.get_object()).prefetch_related("definition")
        page = self.paginate_queryset(runs.order_by("-started_at", "-id"))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        request=inline_serializer(
            "PersonIds",
            {
                "person_ids": serializers.ListField(
                    child=serializers.UUIDField(),
                    min_length=1,
                    max_length=changes.MAX_PERSONS_BY_HAND,
                    help_text="UUIDs of the persons to add.",
                )
            },
        ),
        responses=DONE,
    )
    @action(detail=True, methods=["patch"])
    def add_persons_to_static_cohort(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Add persons to a static cohort."""
        data = request.data
        with transaction.atomic():
            cohort = self.get_object()
            with limited_persons(cohort.project_id):
                changes.add_persons_by_hand(cohort, data)
            self.log(cohort, "persons_added_manually")
        return Response({"success": True})

    @extend_schema(
        request=inline_serializer(
            "PersonId", {"person_id": serializers.UUIDField(help_text="UUID of the person to remove.")}
        ),
        responses=DONE,
    )
    @action(detail=True, methods=["patch"])
    def remove_person_from_static_cohort(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Remove a person from a static cohort."""
        data = request.data
        with transaction.atomic():
            cohort = self.get_object()
            with limited_persons(cohort.project_id):
                changes.remove_person_by_hand(cohort, data)
            self.log(cohort, "person_removed_manually")
        return Response({"success": True})

    @extend_schema(request=None, responses={200: CohortSerializer})
    @action(detail=True, methods=["get", "post"])
    def duplicate_as_static_cohort(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Create a static cohort with the current members of a dynamic one (contract 4.9)."""
        _ = request.data  # refuse an invalid body, although nothing in it is used
        with transaction.atomic():
            self.lock()
            cohort = self.get_object()
            if cohort.is_static:
                raise ValidationError("Cannot duplicate a static cohort as a static cohort.")
            serializer = self.get_serializer(data={"name": changes.name_of_copy(cohort), "is_static": True})
            serializer.is_valid(raise_exception=True)
            self.save_and_log(serializer, project=self.project, created_by=self.caller)
            changes.copy_members(cohort, to=serializer.instance)
            return Response(serializer.data)

    duplicate_as_static_cohort.mapping["head"] = NOT_ALLOWED
