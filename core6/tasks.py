"""Maintenance tasks of the worker."""

from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.utils import timezone
from procrastinate import JobContext
from procrastinate.contrib.django import app
from procrastinate.exceptions import UniqueViolation
from procrastinate.jobs import Status

from core6 import jobs
from core6.activity.models import ActivityLog
from core6.api import idempotency
from core6.database import timestamps
from core6.rate_limits.models import Window
from core6.traffic.models import Minute

PERSON_TABLES = (
    *("analytics_event", "analytics_personoverride", "analytics_distinctid", "analytics_person"),
    "cohorts_cohortmember",
)


@app.periodic(cron="* * * * * */10")  # the sixth field is seconds
@app.task(queueing_lock="retry_stalled_jobs", pass_context=True)
async def retry_stalled_jobs(context: JobContext, timestamp: int) -> None:  # noqa: ARG001  # passed by procrastinate
    """Queue again the jobs whose worker died while it ran them."""
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=settings.DEAD_WORKER_SECONDS):
        try:
            await manager.retry_job(job)
        except UniqueViolation:
            # A job with its queueing lock is already waiting, perhaps for the end of this one, and does the same.
            await manager.finish_job(job, Status.ABORTED, delete_job=True)


@app.periodic(cron="17 * * * *")
@app.task(queueing_lock="forget_answers")
def forget_answers(timestamp: int) -> None:  # noqa: ARG001  # passed by procrastinate
    """Delete stored responses that can no longer be repeated."""
    idempotency.forget_old()


@app.periodic(cron="19 * * * *")
@app.task(queueing_lock="forget_activity")
def forget_activity(timestamp: int) -> None:  # noqa: ARG001  # passed by procrastinate
    """Delete the changes that are older than ACTIVITY_DAYS."""
    ActivityLog.objects.filter(created_at__lt=timestamps.now() - timedelta(days=settings.ACTIVITY_DAYS)).delete()


@app.periodic(cron="23 * * * *")
@app.task(queueing_lock="forget_sessions")
def forget_sessions(timestamp: int) -> None:  # noqa: ARG001  # passed by procrastinate
    """Delete expired sessions of the console, and counts of calls, responses and login attempts older than a day."""
    now = timezone.now()
    Session.objects.filter(expire_date__lt=now).delete()
    # Each login attempt leaves a row for the address and for the account.
    Window.objects.filter(started__lt=now - timedelta(days=1)).delete()
    Minute.objects.filter(started_at__lt=now - timedelta(days=1)).delete()


@app.task(retry=jobs.RetryWhenDatabaseFails())
def delete_people(project_id: int) -> None:
    """Delete the persons and events of a deleted project: no foreign key does that, since there may be millions."""
    for table in PERSON_TABLES:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")  # the limit of the role behind a pooler
            cursor.execute(f"DELETE FROM {table} WHERE project_id = %s", [project_id])  # noqa: S608  # our own names
