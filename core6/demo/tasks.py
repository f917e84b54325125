"""The job that fills a demo project."""

from procrastinate.contrib.django import app

from core6 import jobs
from core6.demo.filling import fill


@app.task(retry=jobs.RetryWhenDatabaseFails())
def fill_demo_project(project_id: int) -> None:
    """Fill a new demo project, completely or not at all."""
    fill(project_id)
