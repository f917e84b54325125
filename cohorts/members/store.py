"""Who is in a cohort: adding, taking out, and replacing by difference, each as set operations of the database."""

import uuid
from collections.abc import Sequence

from django.db import connection

from cohorts.sql.fragments import Sql
from core6.analytics.two_phase_commit import use_two_phase_commit

#: One request names at most so many persons (D70).
MOST_PERSONS = 100_000
TOO_MANY_PERSONS = f"More than {MOST_PERSONS:,} persons: send fewer at a time."
#: How persons can be named from outside: by their uuid, by a distinct_id, by the property `email`.
_NAMED_BY = {
    "person_id": "SELECT p.uuid FROM analytics_person p WHERE p.project_id = %s AND p.uuid = ANY(%s::uuid[])",
    "distinct_id": "SELECT DISTINCT d.person_uuid FROM analytics_distinctid d"
    " JOIN analytics_person p ON p.project_id = d.project_id AND p.uuid = d.person_uuid"
    " WHERE d.project_id = %s AND d.distinct_id = ANY(%s::text[])",
    "email": "SELECT p.uuid FROM analytics_person p"
    " WHERE p.project_id = %s AND p.properties ->> 'email' = ANY(%s::text[])",
}


def named(by: str, values: Sequence[str], *, project_id: int) -> Sql:
    """Return the statement that selects the project's persons with these names; unknown ones are dropped."""
    return Sql(_NAMED_BY[by], (project_id, list(values)))


def add_members(persons: Sql, *, project_id: int, cohort_id: int) -> list[uuid.UUID]:
    """Add the selected persons; return those who were not in before. The cohort's row must be locked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO cohorts_cohortmember (project_id, cohort_id, person_uuid)"
            f" SELECT %s, %s, w.uuid FROM ({persons.text}) AS w(uuid) ON CONFLICT DO NOTHING RETURNING person_uuid",
            [project_id, cohort_id, *persons.values],
        )
        return [row[0] for row in cursor.fetchall()]


def remove_member(person: uuid.UUID, *, project_id: int, cohort_id: int) -> None:
    """Take a person out, if she is in. The cohort's row must be locked."""
    with connection.cursor() as cursor:
        use_two_phase_commit(cursor, project_id)
        cursor.execute(
            "DELETE FROM cohorts_cohortmember WHERE project_id = %s AND cohort_id = %s AND person_uuid = %s",
            [project_id, cohort_id, person],
        )


def count_members(*, project_id: int, cohort_id: int) -> int:
    """Return how many persons are in."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM cohorts_cohortmember WHERE project_id = %s AND cohort_id = %s",
            [project_id, cohort_id],
        )
        return int(cursor.fetchone()[0])


def replace_members(persons: Sql, *, project_id: int, cohort_id: int) -> tuple[int, int]:
    """Make the selected persons the members: who stays is not written again. Return their number, and of changes.

    Runs in the caller's transaction; readers see the members before it or after it, never a mix.
    """
    members = "SELECT person_uuid FROM cohorts_cohortmember WHERE project_id = %s AND cohort_id = %s"
    with connection.cursor() as cursor:
        # Apart from the statements that write: one that only reads may use several processors.
        cursor.execute(
            "CREATE TEMPORARY TABLE change ON COMMIT DROP AS SELECT w.uuid AS came, m.person_uuid AS went"
            f" FROM ({persons.text}) AS w(uuid) FULL JOIN ({members}) AS m ON m.person_uuid = w.uuid"
            " WHERE w.uuid IS NULL OR m.person_uuid IS NULL",
            [*persons.values, project_id, cohort_id],
        )
        cursor.execute(
            "DELETE FROM cohorts_cohortmember m USING change c"
            " WHERE m.project_id = %s AND m.cohort_id = %s AND c.went IS NOT NULL AND m.person_uuid = c.went",
            [project_id, cohort_id],
        )
        changes = cursor.rowcount
        cursor.execute(
            "INSERT INTO cohorts_cohortmember (project_id, cohort_id, person_uuid)"
            " SELECT %s, %s, c.came FROM change c WHERE c.came IS NOT NULL ORDER BY c.came",
            [project_id, cohort_id],
        )
        changes += cursor.rowcount
        cursor.execute("DROP TABLE change")  # before the commit, for a caller who computes twice in one transaction
    return count_members(project_id=project_id, cohort_id=cohort_id), changes


def delete_members(*, project_id: int, cohort_id: int) -> None:
    """Take everybody out."""
    with connection.cursor() as cursor:
        use_two_phase_commit(cursor, project_id)
        cursor.execute(
            "DELETE FROM cohorts_cohortmember WHERE project_id = %s AND cohort_id = %s", [project_id, cohort_id]
        )
