"""The settings of Python's logging."""

from typing import Any


def logging_settings(level: str) -> dict[str, Any]:
    """Return the value of LOGGING: everything goes to stderr, from this level on."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "unknown_errors": {"()": "core6.observability.logs.UnknownErrors"},
            "job_ends": {"()": "core6.observability.job_log.JobEnds"},
            "lost_connections": {"()": "core6.observability.job_log.LostConnections"},
        },
        "formatters": {"line": {"()": "core6.observability.logs.formatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "level": level}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django gives these handlers of their own.
            "django": {"handlers": []},
            "django.server": {"handlers": [], "propagate": True},
            # A refused request is the caller's news, not the operator's.
            "django.request": {"level": "ERROR", "filters": ["unknown_errors"]},
            "django.security": {"level": "CRITICAL"},
            # Web processes and the job worker log themselves that the database is away, or a connection cut.
            "psycopg": {"level": "ERROR"},
            # Of its many lines on each job one is made.
            "procrastinate": {"level": "WARNING"},
            "procrastinate.worker": {"level": "INFO", "filters": ["job_ends"]},
            "procrastinate.worker.worker": {"level": "WARNING", "filters": ["lost_connections"]},
            "procrastinate.utils": {"filters": ["lost_connections"]},
            # Of a task of the library that nobody awaits.
            "asyncio": {"filters": ["lost_connections"]},
        },
    }
