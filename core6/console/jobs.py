"""The queue of jobs in the console: what waits, runs and has failed; what succeeded leaves no row."""

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

#: How the states of the library are called, and how they look.
STATES = {
    "todo": ("queued", "info"),
    "doing": ("running", "success"),
    "failed": ("failed", "danger"),
    "cancelled": ("cancelled", "warning"),
    "aborted": ("aborted", "warning"),
}
_SHOWN = 200


class EventsInline(ReadOnlyInline):
    """What happened to a job."""

    model = ProcrastinateEvent
    fields = ("at", "type")
    readonly_fields = fields
    per_page = 20
    verbose_name_plural = "Events"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProcrastinateEvent]:
        return super().get_queryset(request).order_by("-at", "-id")


class JobAdmin(ReadOnlyAdmin):
    """The jobs."""

    list_display = ("id", "task_name", "arguments", "state", "attempts", "scheduled_at", "lock", "worker_alive")
    list_filter = ("status", "task_name", "scheduled_at")
    list_select_related = ("worker",)
    search_fields = ("task_name", "lock", "id")
    ordering = ("-id",)
    actions_detail = ("retry",)
    inlines = (EventsInline,)
    fields = (
        *("id", "task_name", "arguments", "state", "attempts", "scheduled_at", "lock", "queueing_lock"),
        *("priority", "worker_alive"),
    )

    @display(description="Arguments")
    def arguments(self, job: ProcrastinateJob) -> str:
        text = json.dumps(job.args, ensure_ascii=False)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

    @display(description="State", ordering="status", label=dict(STATES.values()))
    def state(self, job: ProcrastinateJob) -> str:
        return STATES.get(job.status, (job.status, ""))[0]

    @display(description="Sign of life of its worker")
    def worker_alive(self, job: ProcrastinateJob) -> Any:
        return job.worker.last_heartbeat if job.worker else None

    @button("Try again", "It is queued once more, and counts its attempts on.", "replay")
    def retry(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        """Queue a failed job again; one that runs is taken over by itself when its worker dies."""
        job = self.get_object(request, object_id)
        if job is None:
            raise Http404
        if job.status != "failed":
            return self.told(request, job, messages.WARNING, "Only a failed job is tried again.")
        app.job_manager.retry_job_by_id(job.pk, retry_at=timezone.now())
        return self.acted(request, job, "The job is queued again.")
