"""Cohorts in the console: their state, their last error, and a button to compute them again."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.db import transaction
from django.db.models import Case, QuerySet, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from unfold.decorators import display

from cohorts.calculation.dependencies import lock_definitions
from cohorts.calculation.failures import last_failure, message
from cohorts.calculation.run import request_calculation
from cohorts.models import Calculation, Cohort
from core6.console.site import ReadOnlyAdmin, ReadOnlyInline, as_json, button

STATES = {"failing": "danger", "calculating": "info", "computed": "success", "static": "default", "deleted": "warning"}


#: The state of a cohort: the first that applies.
STATE = Case(
    When(deleted=True, then=Value("deleted")),
    When(is_calculating=True, then=Value("calculating")),
    When(errors_calculating__gt=0, then=Value("failing")),
    When(is_static=True, then=Value("static")),
    default=Value("computed"),
)


class StateFilter(SimpleListFilter):
    """Filters cohorts by their state."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state) for state in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset.filter(state_now=chosen) if chosen in STATES else queryset


class CalculationsInline(ReadOnlyInline):
    """The runs of the calculation, newest first."""

    model = Calculation
    fields = ("started_at", "seconds", "count", "error_code", "error")
    readonly_fields = fields
    per_page = 10
    verbose_name_plural = "Calculations"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Calculation]:
        return super().get_queryset(request).order_by("-started_at", "-id")

    @display(description="Seconds")
    def seconds(self, run: Calculation) -> str:
        return f"{(run.finished_at - run.started_at).total_seconds():.3f}" if run.finished_at else "running"


class CohortAdmin(ReadOnlyAdmin):
    """Cohorts, read-only: only the API changes their filters."""

    list_display = ("name_shown", "project", "state", "count", "last_calculation", "errors_calculating", "last_error")
    list_filter = (StateFilter, "is_static", "cohort_type", "last_calculation")
    search_fields = ("name", "project__name", "description")
    ordering = ("-pk",)
    actions_detail = ("recalculate",)
    inlines = (CalculationsInline,)
    fieldsets = (
        (None, {"fields": ("name", "description", "project", "state", "count", "last_error", "last_error_detail")}),
        (
            "Calculation",
            {"fields": ("last_calculation", "errors_calculating", "last_error_at", "version", "pending_version")},
        ),
        ("Definition", {"fields": ("is_static", "cohort_type", "filters_shown", "created_by", "created_at", "id")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Cohort]:
        rows = super().get_queryset(request).select_related("project", "created_by")
        return rows.annotate(state_now=STATE, error=last_failure("error"), error_code=last_failure("error_code"))

    @display(description="Name", ordering="name")
    def name_shown(self, cohort: Cohort) -> str:
        return str(cohort)

    @display(description="State", label=STATES)
    def state(self, cohort: Any) -> str:
        return cohort.state_now

    @display(description="Last error")
    def last_error(self, cohort: Any) -> str:
        """Return the message of the last failure, if the cohort has not been computed since."""
        if not cohort.errors_calculating:
            return "none"
        return message(cohort.error_code) or "The job of its calculation was lost."

    @display(description="Database error")
    def last_error_detail(self, cohort: Any) -> str:
        return cohort.error if cohort.errors_calculating and cohort.error else "none"

    @display(description="Filters")
    def filters_shown(self, cohort: Cohort) -> str:
        return as_json(cohort.criteria)

    @button(
        "Compute again",
        "The members of this cohort and of the cohorts that depend on it are computed again.",
        "refresh",
    )
    def recalculate(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        """Request the calculation, as a change of the cohort does."""
        with transaction.atomic():
            found = self.get_object(request, object_id)
            if found is None:
                raise Http404
            lock_definitions(found.project_id)
            cohort: Any = self.get_queryset(request).get(pk=found.pk)
            if cohort.is_static or cohort.deleted:
                return self.message_and_redirect(
                    request, cohort, messages.WARNING, f"A {cohort.state_now} cohort is not computed."
                )
            request_calculation(cohort)
            return self.log_and_redirect(request, cohort, "The calculation was requested.")
