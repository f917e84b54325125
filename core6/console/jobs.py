"""The job queue in the console: queued, running and failed jobs; rows of successful jobs are deleted."""

import json
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob
from unfold.decorators import display

from core6.console.site import ReadOnlyAdmin, ReadOnlyInline, button
from core6.console.times import ago, when

#: The names and styles of procrastinate's states.
STATES = {
    "todo": ("Queued", "info"),
    "doing": ("Running", "success"),
    "failed": ("Failed", "danger"),
    "cancelled": ("Cancelled", "warning"),
    "aborted": ("Aborted", "warning"),
}
_SHOWN = 200


class EventsInline(ReadOnlyInline):
    """The events of a job."""

    model = ProcrastinateEvent
    fields = ("at", "type")
    readonly_fields = fields
    per_page = 20
    verbose_name_plural = "Events"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProcrastinateEvent]:
        return super().get_queryset(request).order_by("-at", "-id")


class JobAdmin(ReadOnlyAdmin):
    """Jobs, read-only, with a button to retry failed ones."""

    activity_scope = "Job"
    plural = "Jobs"
    list_display = ("id", "task_name", "arguments", "state", "attempts", "scheduled", "lock", "last_heartbeat")
    list_filter = ("status", "task_name", "scheduled_at")
    list_select_related = ("worker",)
    search_fields = ("task_name", "lock", "id")
    ordering = ("-id",)
    actions_detail = ("retry",)
    inlines = (EventsInline,)
    fields = (
        *("id", "task_name", "arguments", "state", "attempts", "scheduled_at", "lock", "queueing_lock"),
        *("priority", "last_heartbeat"),
    )

    scheduled = when("scheduled_at", "Scheduled", "at once")

    def name_of(self, obj: Any) -> str:
        return f"{obj.task_name} {obj.pk}"

    @display(description="Arguments")
    def arguments(self, job: ProcrastinateJob) -> str:
        text = ", ".join(f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in job.args.items())
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

    @display(description="State", ordering="status", label=dict(STATES.values()))
    def state(self, job: ProcrastinateJob) -> str:
        return STATES.get(job.status, (job.status, ""))[0]

    @display(description="Last heartbeat")
    def last_heartbeat(self, job: ProcrastinateJob) -> Any:
        return ago(job.worker.last_heartbeat if job.worker else None, "-")

    @button("Try again", "The job is queued again, and its attempts are counted further.", "replay")
    def retry(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        """Queue a failed job again; a running one is queued automatically if its worker dies."""
        job = self.get_object(request, object_id)
        if job is None:
            raise Http404
        if job.status != "failed":
            return self.message_and_redirect(request, job, messages.WARNING, "Only a failed job can be tried again.")
        app.job_manager.retry_job_by_id(job.pk, retry_at=timezone.now())
        return self.log_and_redirect(request, job, "The job is queued again.", "queued_again")
