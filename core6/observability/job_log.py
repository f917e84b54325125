"""One line of the log for each job that ends, in place of what the library says of it."""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from django.db import Error
from procrastinate.exceptions import ConnectorException

from core6.database.query_counter import query_usage
from core6.jobs import is_unreachable
from core6.observability import metrics
from core6.observability.logs import logger_of
from core6.security.error_texts import shortened

logger = logger_of("core6.jobs")
#: The level and the status of each action by which the library reports an end.
_ENDS: Final = {
    "job_success": (logging.INFO, "succeeded"),
    "job_error_retry": (logging.WARNING, "to_be_tried_again"),
    "job_error": (logging.ERROR, "failed"),
    # Aborted on request, or because the worker was stopped.
    "job_aborted_retry": (logging.INFO, "aborted_to_be_tried_again"),
    "job_aborted": (logging.INFO, "aborted"),
}
_statements: ContextVar[int | None] = ContextVar("statements", default=None)


class JobEnds(logging.Filter):
    """Replaces each record of the library on the end of a job by one `job_finished`; other warnings pass unchanged.

    Only the library knows whether a job is tried again. Its records contain the arguments of the job, ours do not.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        end = _ENDS.get(getattr(record, "action", ""))
        if end is None:
            return record.levelno >= logging.WARNING
        level, status = end
        job: dict[str, Any] = record.job  # type: ignore[attr-defined]  # one of what the library adds to its records
        seconds: float = getattr(record, "duration", 0.0)
        fields: dict[str, Any] = {"task": job["task_name"], "job_id": job["id"], "lock": job["lock"]}
        fields |= {"attempt": job["attempts"] + 1, "status": status, "ms": round(seconds * 1000, 1)}
        if (statements := _statements.get()) is not None:
            fields["sql"] = statements
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, ConnectorException) or (isinstance(error, Error) and is_unreachable(error)):
            level = logging.INFO  # the worker itself logs an outage, unless it is over at once, as after `reset`
        if level == logging.ERROR:
            fields["exc_info"] = record.exc_info
        elif error:
            fields["error"] = shortened(f"{type(error).__name__}: {' '.join(str(error).split())}")
        logger.log(level, "job_finished", **fields)
        return False


class LostConnections(logging.Filter):
    """Drops the library's tracebacks of a database that is away: `manage.py worker` says it in a line."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], ConnectorException))


def count_statements(run: Callable[[], Any], *_: Any) -> Any:
    """Run a job in its thread and note the statements that it takes: a task middleware of the library.

    What is set in a thread is set where it is waited for as well.
    """
    before = query_usage()
    try:
        return run()
    finally:
        used = query_usage().since(before)
        _statements.set(used.statements)
        metrics.observe_statements("job", used)
