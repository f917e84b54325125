"""Every advisory lock of the database, by name.

The numbers are those of earlier releases: old code and new code run beside each other during an update.
"""

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection


@dataclass(frozen=True)
class AdvisoryLock:
    """A lock by a number; `key` is the SQL of the number, with a placeholder where each object has its own."""

    key: str

    def acquire(self, *values: object) -> None:
        """Take the lock until the transaction ends, and wait for it."""
        _run(f"pg_advisory_xact_lock({self.key})", values)

    def try_acquire(self, *values: object, using: Any = connection) -> bool:
        """Take the lock until the transaction ends; return whether nobody else has it."""
        return bool(_run(f"pg_try_advisory_xact_lock({self.key})", values, using))

    def acquire_shared(self, *values: object) -> None:
        """Take the lock until the transaction ends, beside others who share it, and wait for it."""
        _run(f"pg_advisory_xact_lock_shared({self.key})", values)

    def try_acquire_shared(self, *values: object) -> bool:
        """Take the lock until the transaction ends, beside others who share it; return whether that was possible."""
        return bool(_run(f"pg_try_advisory_xact_lock_shared({self.key})", values))

    def acquire_for_session(self, *values: object) -> None:
        """Take the lock until it is released or the connection ends, and wait for it."""
        _run(f"pg_advisory_lock({self.key})", values)

    def release(self, *values: object) -> None:
        """Release a lock of the session."""
        _run(f"pg_advisory_unlock({self.key})", values)


def _run(call: str, values: tuple[object, ...], using: Any = connection) -> Any:
    with using.cursor() as cursor:
        cursor.execute(f"SELECT {call}", values)
        return cursor.fetchone()[0]


PROVISIONING: Final = AdvisoryLock(str(0x636F726536))
MIGRATION: Final = AdvisoryLock(str(0x636F726537))
#: Loading persons and events into a project: its id.
LOADING: Final = AdvisoryLock("hashtextextended('core6.analytics.loading', %s)")
#: Moving people to the workers of a cluster; calculations share it.
MOVING: Final = AdvisoryLock("hashtextextended('core6.analytics.moving', 0)")
#: A request with an Idempotency-Key: the id of the API key and that key.
IDEMPOTENCY: Final = AdvisoryLock("hashtextextended(%s, 0)")
#: Changing definitions and states of a project's cohorts: the id of the project, modulo 2**31.
COHORT_DEFINITIONS: Final = AdvisoryLock(f"{0x636F68}, %s")
