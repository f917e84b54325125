"""The jobs of cohorts, as procrastinate runs them."""

from typing import Any

from procrastinate.contrib.django import app

from cohorts.calculation import records, refresh
from cohorts.calculation.run import calculate, request_dated_calculations
from cohorts.members.static import populate
from core6 import jobs

#: A database that is away for a while costs no cohort its calculation.
_RETRY = jobs.RetryWhenDatabaseFails()


@app.task(retry=_RETRY)
def calculate_cohort(cohort_id: int) -> None:
    """Compute the members of a dynamic cohort."""
    calculate(cohort_id)


@app.task(retry=_RETRY)
def calculate_dated_cohorts(project_id: int) -> None:
    """Compute again what names dates, since the project reads them in another way now."""
    request_dated_calculations(project_id)


@app.task(retry=_RETRY)
def populate_cohort(cohort_id: int, source: dict[str, Any]) -> None:
    """Add to a static cohort whom a file names or a query finds."""
    populate(cohort_id, source)


@app.periodic(cron="21 * * * *")
@app.task(queueing_lock="forget_calculations")
def forget_calculations(timestamp: int) -> None:  # noqa: ARG001  # its periodic number
    """Delete the runs of calculations beyond the newest of each cohort."""
    records.forget_old()


@app.periodic(cron="29 * * * *")
@app.task(queueing_lock="count_static_cohorts")
def count_static_cohorts(timestamp: int) -> None:  # noqa: ARG001  # its periodic number
    """Correct the counts of static cohorts."""
    refresh.count_static_cohorts()


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="refresh_cohorts")
def refresh_cohorts(timestamp: int) -> None:  # noqa: ARG001  # its periodic number
    """Compute again what was computed a while ago, and free what hangs."""
    refresh.refresh_cohorts()
