"""The clock with which the cohorts of a project are computed."""

from cohorts.criteria.dates import Clock
from core6.database import timestamps
from projects.models import Project


def clock_of(project_id: int) -> Clock:
    """Return the current time with the time zone and the first weekday of the project."""
    project = Project.objects.only("timezone", "week_start_day").get(pk=project_id)
    return Clock(timestamps.now(), project.timezone, project.week_start_day or 0)
