"""Makes a transaction that changes people and something else commit both or neither, in a Citus cluster, too."""

from typing import Any, Final

# It inserts nothing. But rows of a table of the coordinator pass through it, and for these Citus commits in two phases.
# Without it, what a statement changes on one worker alone is committed there before the coordinator's own part.
_THROUGH_THE_COORDINATOR: Final = """
INSERT INTO analytics_distinctid (project_id, distinct_id, person_uuid)
SELECT %s, '', NULL::uuid FROM django_migrations WHERE id < 0"""


def use_two_phase_commit(cursor: Any, project_id: int) -> None:
    """Have the transaction in progress, which changes people of a project, committed everywhere or nowhere."""
    cursor.execute(_THROUGH_THE_COORDINATOR, [project_id])
