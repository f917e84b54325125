"""Cohorts in the console: their state, their members over time, their filters, a button to compute them again."""

from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import Case, OuterRef, QuerySet, Value, When
from django.db.models.functions import JSONObject
from django.http import Http404, HttpRequest, HttpResponse
from unfold.decorators import display

from cohorts.calculation.dependencies import lock_definitions
from cohorts.calculation.failures import last_failure, message
from cohorts.calculation.run import request_calculation
from cohorts.models import Calculation, Cohort
from core6.console.charts import sparkline
from core6.console.cohort_charts import charts
from core6.console.cohort_form import CohortForm, view_of
from core6.console.site import ConsoleAdmin, ReadOnlyInline, as_json, button
from core6.console.times import when

#: The calculations of the small line in the list.
RUNS: Final = 20
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
    fields = ("started", "seconds", "count", "outcome", "error")
    started = when("started_at", "Started")
    readonly_fields = fields
    per_page = 10
    verbose_name_plural = "Calculations"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Calculation]:
        return super().get_queryset(request).order_by("-started_at", "-id")

    @display(description="Outcome", label={"failed": "danger", "computed": "success", "running": "info"})
    def outcome(self, run: Calculation) -> str:
        return "failed" if run.error else "computed" if run.finished_at else "running"

    @display(description="Seconds")
    def seconds(self, run: Calculation) -> str:
        return f"{(run.finished_at - run.started_at).total_seconds():.3f}" if run.finished_at else "running"


class CohortAdmin(ConsoleAdmin):
    """Cohorts; name, description and filters can be changed, by the API's own code."""

    activity_scope = "Cohort"
    form = CohortForm
    change_form_outer_before_template = "core6/console/charts.html"
    list_display = ("name_shown", "project", "state", "members", "trend", "computed", "last_error")
    list_filter = (StateFilter, "is_static", "cohort_type", "last_calculation")
    search_fields = ("name", "project__name", "description")
    ordering = ("-pk",)
    actions_detail = ("recalculate",)
    inlines = (CalculationsInline,)
    fieldsets = (
        (None, {"fields": ("state", "members", "last_error", "last_error_detail", "project", "name", "description")}),
        ("Definition", {"fields": ("filters", "is_static", "cohort_type", "created_by", "created", "id")}),
        (
            "Calculation",
            {"fields": ("computed", "errors_calculating", "failed", "version", "pending_version")},
        ),
    )
    computed = when("last_calculation", "Last calculation")
    failed = when("last_error_at", "Last failure")
    created = when("created_at", "Created", "unknown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Cohort]:
        rows = super().get_queryset(request).select_related("project", "created_by")
        runs = Calculation.objects.filter(cohort=OuterRef("pk")).order_by("-started_at", "-id")
        run = JSONObject(count="count", failed=Case(When(error__gt="", then=True), default=False))
        return rows.annotate(
            state_now=STATE,
            error=last_failure("error"),
            error_code=last_failure("error_code"),
            runs=ArraySubquery(runs.values(run=run)[:RUNS]),
        )

    def get_fieldsets(self, request: HttpRequest, obj: Cohort | None = None) -> Any:
        """Show the filters of a static cohort, which compute nothing, as text."""
        if obj is None or not obj.is_static:
            return self.fieldsets
        first, (title, shown), last = self.fieldsets
        return (first, (title, {"fields": ("filters_shown", *shown["fields"][1:])}), last)

    def get_readonly_fields(self, request: HttpRequest, obj: Cohort | None = None) -> Any:
        fields = [field for _, shown in self.get_fieldsets(request, obj) for field in shown["fields"]]
        return [field for field in fields if field not in CohortForm.Meta.fields]

    def get_form(self, request: HttpRequest, obj: Cohort | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.request = request
        return form

    def owner_of(self, obj: Any) -> tuple[Any, int | None]:
        return obj.project.organization_id, obj.project_id

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        cohort = self.get_object(request, object_id)
        drawn = charts(cohort) if cohort else []
        response: HttpResponse = super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "charts": drawn}
        )
        return response

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Save, log and compute as the API does."""
        if form.serializer:
            view_of(obj, request).perform_update(form.serializer)

    @display(description="Members", ordering="count")
    def members(self, cohort: Cohort) -> str:
        return "-" if cohort.count is None else f"{cohort.count:,}"

    @display(description="Trend")
    def trend(self, cohort: Any) -> str:
        runs = cohort.runs[::-1]
        counts = [None if run["failed"] else run["count"] for run in runs]
        return sparkline(counts, [index for index, run in enumerate(runs) if run["failed"]]) or "-"

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
        return as_json(cohort.criteria) if (cohort.criteria or {}).get("properties") else "none"

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
            return self.log_and_redirect(request, cohort, "The calculation was requested.", "calculation_requested")
