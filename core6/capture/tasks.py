"""The jobs of ingestion."""

from procrastinate.contrib.django import app

from core6 import jobs
from core6.capture.folding import fold
from core6.capture.retention import forget_old


@app.task(retry=jobs.RetryWhenDatabaseFails())
def fold_merges(project_id: int) -> None:
    """Give the events of merged persons to their new persons."""
    fold(project_id)


@app.periodic(cron="37 * * * *")
@app.task(queueing_lock="forget_events")
def forget_events(timestamp: int) -> None:  # noqa: ARG001  # passed by procrastinate
    """Delete the events that are older than EVENT_RETENTION_DAYS."""
    forget_old()
