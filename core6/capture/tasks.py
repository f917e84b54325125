"""The job that writes merges into events."""

from procrastinate.contrib.django import app

from core6 import jobs
from core6.capture.folding import fold


@app.task(retry=jobs.RetryWhenDatabaseFails())
def fold_merges(project_id: int) -> None:
    """Give the events of merged persons to their new persons."""
    fold(project_id)
