"""What the job worker does for its own sake."""

from procrastinate import JobContext
from procrastinate.contrib.django import app

#: Seconds without a sign of life after which a worker counts as dead and its jobs are given to another.
DEAD_AFTER = 10.0


@app.periodic(cron="* * * * * */10")  # the sixth field is seconds
@app.task(queueing_lock="retry_stalled_jobs", pass_context=True)
async def retry_stalled_jobs(context: JobContext, timestamp: int) -> None:  # noqa: ARG001  # its periodic number
    """Queue again the jobs whose worker died while it ran them."""
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER):
        await manager.retry_job(job)
