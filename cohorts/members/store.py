"""The members of a cohort: adding, removing and replacing them, each as set operations in the database."""

import uuid
from collections.abc import Sequence

from django.db import connection

from cohorts.sql.fragments import Sql
from core6.analytics.two_phase_commit import use_two_phase_commit

#: The most persons that one request may name (D70).
MOST_PERSONS = 100_000
TOO_MANY_PERSONS = f"More than {MOST_PERSONS:,} persons: send fewer at a time."
#: How clients can identify persons: by their uuid, by a distinct_id, by the property `email`.
_SELECT_BY = {
    "person_id": "SELECT p.uuid FROM analytics_person p WHERE p.project_id = %s AND p.uuid = ANY(%s::uuid[])",
    "distinct_id": "SELECT DISTINCT d.person_uuid FROM analytics_distinctid d"
    " JOIN analytics_person p ON p.project_id = d.project_id AND p.uuid = d.person_uuid"
    " WHERE d.project_id = %s AND d.distinct_id = ANY(%s::text[])",
    "email": "SELECT p.uuid FROM analytics_person p"
    " WHERE p.project_id = %s AND p.properties ->> 'email' = ANY(%s::text[])",
}


def select_persons(by: str, values: Sequence[str], *, project_id: int) -> Sql:
    """Return the statement that selects the project's persons with these identifiers; unknown ones are ignored."""
    return Sql(_SELECT_BY[by], (project_id, list(values)))


def add_members(persons: Sql, *, project_id: int, cohort_id: int) -> list[uuid.UUID]:
    """Add the selected persons; return the new members. The cohort's row must be locked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO cohorts_cohortmember (project_id, cohort_id, person_uuid)"
            f" SELECT %s, %s, w.uuid FROM ({persons.text}) AS w(uuid) ON CONFLICT DO NOTHING RETURNING person_uuid",
            [project_id, cohort_id, *persons.values],
        )
        return [row[0] for row in cursor.fetchall()]


def remove_member(person: uuid.UUID, *, project_id: int, cohort_id: int) -> None:
    """Remove a person, if a member. The cohort's row must be locked."""
    with connection.cursor() as cursor:
        use_two_phase_commit(cursor, project_id)
        cursor.execute(
            "DELETE FROM cohorts_cohortmember WHERE project_id = %s AND cohort_id = %s AND person_uuid = %s",
            [project_id, cohort_id, person],
        )


def count_members(*, project_id: int, cohort_id: int) -> int:
    """Return the number of members."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM cohorts_cohortmember WHERE project_id = %s AND cohort_id = %s",
            [project_id, cohort_id],
        )
        return int(cursor.fetchone()[0])


def replace_members(persons: Sql, *, project_id: int, cohort_id: int) -> tuple[int, int]:
    """Make the selected persons the members; return the numbers of members and of changes.

    Only the difference is written. Runs in the caller's transaction: readers see the old or the new members, never a
    mix.
    """
    members = "SELECT person_uuid FROM cohorts_cohortmember WHERE project_id = %s AND cohort_id = %s"
    with connection.cursor() as cursor:
        # Separate from the statements that write, since Postgres runs only a read in parallel.
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
        cursor.execute("DROP TABLE change")  # before the commit, for a caller that computes twice in one transaction
    return count_members(project_id=project_id, cohort_id=cohort_id), changes


def delete_members(*, project_id: int, cohort_id: int) -> None:
    """Remove all members."""
    with connection.cursor() as cursor:
        use_two_phase_commit(cursor, project_id)
        cursor.execute(
            "DELETE FROM cohorts_cohortmember WHERE project_id = %s AND cohort_id = %s", [project_id, cohort_id]
        )
