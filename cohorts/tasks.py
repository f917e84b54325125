"""The procrastinate tasks of cohorts."""

from typing import Any

from procrastinate.contrib.django import app

from cohorts.calculation import records, refresh
from cohorts.calculation.run import calculate, request_dated_calculations
from cohorts.members.static import populate
from core6 import jobs

#: A temporarily unavailable database delays calculations, but fails none.
_RETRY = jobs.RetryWhenDatabaseFails()


@app.task(retry=_RETRY)
def calculate_cohort(cohort_id: int) -> None:
    """Compute the members of a dynamic cohort."""
    calculate(cohort_id)


@app.task(retry=_RETRY)
def calculate_dated_cohorts(project_id: int) -> None:
    """Compute cohorts with dates again, after the project changed how it interprets them."""
    request_dated_calculations(project_id)


@app.task(retry=_RETRY)
def populate_cohort(cohort_id: int, source: dict[str, Any]) -> None:
    """Add the persons of a file or a query to a static cohort."""
    populate(cohort_id, source)


@app.periodic(cron="21 * * * *")
@app.task(queueing_lock="forget_calculations")
def forget_calculations(timestamp: int) -> None:  # noqa: ARG001  # passed by procrastinate
    """Delete all but the newest runs of each cohort."""
    records.forget_old()


@app.periodic(cron="29 * * * *")
@app.task(queueing_lock="count_static_cohorts")
def count_static_cohorts(timestamp: int) -> None:  # noqa: ARG001  # passed by procrastinate
    """Correct the counts of static cohorts."""
    refresh.count_static_cohorts()


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="refresh_cohorts")
def refresh_cohorts(timestamp: int) -> None:  # noqa: ARG001  # passed by procrastinate
    """Compute outdated cohorts again, and free cohorts that hang."""
    refresh.refresh_cohorts()
