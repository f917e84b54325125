"""The job that fills a demo project."""

from django.db import InterfaceError, OperationalError
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from core6.demo.filling import fill


@app.task(retry=RetryStrategy(max_attempts=5, exponential_wait=3, retry_exceptions=[OperationalError, InterfaceError]))
def fill_demo_project(project_id: int) -> None:
    """Fill a new demo project, whole or not at all."""
    fill(project_id)
