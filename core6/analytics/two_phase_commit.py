"""Atomic commits of transactions on persons and other tables in a Citus cluster."""

from typing import Any, Final

# This inserts nothing, but it reads a table of the coordinator, which makes Citus use a two-phase commit. Without it, a
# change on a single worker is committed there before the coordinator commits its part.
_THROUGH_THE_COORDINATOR: Final = """
INSERT INTO analytics_distinctid (project_id, distinct_id, person_uuid)
SELECT %s, '', NULL::uuid FROM django_migrations WHERE id < 0"""


def use_two_phase_commit(cursor: Any, project_id: int) -> None:
    """Have the current transaction, which changes persons of a project, committed on all nodes or on none."""
    cursor.execute(_THROUGH_THE_COORDINATOR, [project_id])
