"""The rules that stored data must keep, whatever happened to the server, as checks that only read.

Each check looks for violations of one rule. Most are one statement that selects a name for each violation. Rules that
the database cannot check (secrets, references between cohorts) are checked in Python. The caller makes sure that all
checks see one snapshot.
"""

from collections.abc import Iterator
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction

from cohorts.calculation.dependencies import reachable, references_in
from cohorts.calculation.queue import has_job
from cohorts.models import Cohort
from core6.diagnosis.checks import Check
from core6.diagnosis.findings import Finding
from core6.security.encryption import decrypt, encrypted_fields, stored_secrets
from core6.terminal.progress import progress


def _project_secrets() -> Iterator[tuple[int, str | None, str | None]]:
    """Yield the id of each project that has secret tokens, with the stored texts: an encrypted field would raise."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, secret_api_token, secret_api_token_backup FROM projects_project"
            " WHERE secret_api_token IS NOT NULL OR secret_api_token_backup IS NOT NULL ORDER BY id"
        )
        yield from cursor.fetchall()


def _decrypted(stored: str | None) -> str | None:
    try:
        return stored and decrypt(stored)
    except ImproperlyConfigured:
        return None


def _unreadable_secrets() -> Iterator[str]:
    for model, names in encrypted_fields():
        unreadable = {key for name in names for key, stored in stored_secrets(model, name) if not _decrypted(stored)}
        yield from (f"{model._meta.verbose_name} {key}" for key in sorted(unreadable))


def _wrong_backups() -> Iterator[str]:
    for project, current, backup in _project_secrets():
        if backup is not None and (current is None or (_decrypted(backup) or "") == _decrypted(current)):
            yield f"project {project}"


def _hanging_cohorts() -> Iterator[str]:
    for cohort in Cohort.objects.filter(is_calculating=True).only("project").order_by("pk"):
        awaited = reachable([cohort.pk], references_in(cohort.project_id))
        if not has_job({cohort.pk, *awaited}):
            yield f"cohort {cohort.pk}"


CHECKS: Final = (
    Check(
        "api_tokens",
        "A project's api_token is not its own or does not begin with phc_.",
        "SELECT 'project ' || id FROM"
        " (SELECT id, api_token, count(*) OVER (PARTITION BY api_token) AS times FROM projects_project) AS tokens"
        r" WHERE times > 1 OR api_token !~ '^phc_\S+$'",
    ),
    Check(
        "secrets",
        "A stored secret cannot be decrypted: ENCRYPTION_KEYS lacks the key that it was written with.",
        _unreadable_secrets,
    ),
    Check(
        "secret_token_backups",
        "The backup of a project's secret token stands alone, or equals the token.",
        _wrong_backups,
    ),
    Check(
        "cohort_counts",
        "A cohort's count is not the number of its members.",
        "SELECT 'cohort ' || c.id FROM cohorts_cohort c LEFT JOIN ("
        "SELECT project_id, cohort_id, count(*) AS members FROM cohorts_cohortmember GROUP BY project_id, cohort_id"
        ") m ON m.project_id = c.project_id AND m.cohort_id = c.id"
        " WHERE coalesce(c.count, 0) <> coalesce(m.members, 0)",
    ),
    Check(
        "cohort_versions",
        "A cohort that was computed without an error does not have the version that was asked for.",
        "SELECT 'cohort ' || id FROM cohorts_cohort WHERE version > pending_version OR NOT (is_static OR deleted"
        " OR is_calculating OR errors_calculating > 0) AND version IS DISTINCT FROM pending_version",
    ),
    Check(
        "cohorts_calculating",
        "A cohort claims to be calculating, but no job for it or for what it waits for is left.",
        _hanging_cohorts,
    ),
    Check(
        "calculations_unfinished",
        "A calculation has begun and not ended, but no job for its cohort is left.",
        "SELECT 'calculation ' || c.id || ' of cohort ' || c.cohort_id FROM cohorts_calculation c"
        " WHERE c.finished_at IS NULL AND NOT EXISTS (SELECT FROM procrastinate_jobs j"
        " WHERE j.lock = 'cohort:' || c.cohort_id AND j.status IN ('todo', 'doing'))",
    ),
    Check(
        "cohort_members_persons",
        "A member of a cohort is no person of the project.",
        "SELECT 'person ' || m.person_uuid || ' of cohort ' || m.cohort_id FROM cohorts_cohortmember m"
        " JOIN projects_project ON projects_project.id = m.project_id"
        " LEFT JOIN analytics_person p ON p.project_id = m.project_id AND p.uuid = m.person_uuid"
        " WHERE p.uuid IS NULL",
    ),
    Check(
        "cohort_members_cohorts",
        "Members are left of a cohort that is not there.",
        "SELECT DISTINCT 'cohort ' || m.cohort_id FROM cohorts_cohortmember m"
        " JOIN projects_project ON projects_project.id = m.project_id"
        " LEFT JOIN cohorts_cohort c ON c.project_id = m.project_id AND c.id = m.cohort_id WHERE c.id IS NULL",
    ),
    Check(
        "distinct_ids",
        "A distinct id belongs to no person of the project.",
        "SELECT 'distinct id ' || d.distinct_id || ' of project ' || d.project_id FROM analytics_distinctid d"
        " JOIN projects_project ON projects_project.id = d.project_id"
        " LEFT JOIN analytics_person p ON p.project_id = d.project_id AND p.uuid = d.person_uuid"
        " WHERE p.uuid IS NULL",
    ),
    Check(
        "person_overrides",
        "Events of a merged person are given to one who is not there, or the merged one is there still.",
        "SELECT 'person ' || o.old_uuid || ' of project ' || o.project_id FROM analytics_personoverride o"
        " JOIN projects_project ON projects_project.id = o.project_id"
        " LEFT JOIN analytics_person n ON n.project_id = o.project_id AND n.uuid = o.new_uuid"
        " LEFT JOIN analytics_person p ON p.project_id = o.project_id AND p.uuid = o.old_uuid"
        " WHERE n.uuid IS NULL OR p.uuid IS NOT NULL",
    ),
    Check(
        "people_of_gone_projects",
        "Persons or events are left of a project that is gone, and no job is left to delete them.",
        "SELECT 'project ' || project_id FROM ("
        "SELECT project_id FROM analytics_event UNION SELECT project_id FROM analytics_distinctid"
        " UNION SELECT project_id FROM analytics_person UNION SELECT project_id FROM cohorts_cohortmember"
        " UNION SELECT project_id FROM analytics_personoverride"
        # No correlated subquery: workers of a cluster cannot read a table that is only on the coordinator.
        ") AS people WHERE project_id NOT IN (SELECT id FROM projects_project) AND project_id NOT IN ("
        "SELECT (args ->> 'project_id')::bigint FROM procrastinate_jobs WHERE task_name = 'core6.tasks.delete_people'"
        " AND status IN ('todo', 'doing') AND args ->> 'project_id' IS NOT NULL)",
    ),
    Check(
        "annotation_organizations",
        "An annotation's organization is not that of its project.",
        "SELECT 'annotation ' || a.id FROM annotations_annotation a JOIN projects_project p ON p.id = a.project_id"
        " WHERE a.organization_id <> p.organization_id",
    ),
    Check(
        "annotation_targets",
        "An annotation points at a dashboard or an insight of another organization.",
        "SELECT 'annotation ' || a.id FROM annotations_annotation a"
        " LEFT JOIN analytics_dashboard d ON d.id = a.dashboard_id"
        " LEFT JOIN analytics_insight i ON i.id = a.dashboard_item_id"
        " JOIN projects_project p ON p.id IN (d.project_id, i.project_id)"
        " WHERE p.organization_id <> a.organization_id",
    ),
    Check(
        "role_members",
        "A role has a member who is no member of its organization.",
        "SELECT 'role ' || r.id || ', membership ' || o.id FROM roles_rolemembership m"
        " JOIN roles_role r ON r.id = m.role_id JOIN accounts_membership o ON o.id = m.organization_member_id"
        " WHERE o.organization_id <> r.organization_id",
    ),
    Check(
        "default_roles",
        "An organization's default role is another organization's.",
        "SELECT 'organization ' || o.id FROM accounts_organization o JOIN roles_role r ON r.id = o.default_role_id"
        " WHERE r.organization_id <> o.id",
    ),
    Check(
        "owners",
        "An organization has no owner, so nobody can change everything in it.",
        "SELECT 'organization ' || o.id FROM accounts_organization o WHERE NOT EXISTS"
        " (SELECT FROM accounts_membership m WHERE m.organization_id = o.id AND m.level = 15)",
        is_warning=True,
    ),
    Check(
        "jobs_abandoned",
        "A job runs by the records, but its worker has had no heartbeat for long.",
        "SELECT 'job ' || j.id || ': ' || j.task_name FROM procrastinate_jobs j"
        " LEFT JOIN procrastinate_workers w ON w.id = j.worker_id WHERE j.status = 'doing'"
        " AND coalesce(w.last_heartbeat, (SELECT max(e.at) FROM procrastinate_events e WHERE e.job_id = j.id),"
        " '-infinity') < now() - make_interval(secs => %(dead_seconds)s)",
    ),
    Check(
        "idle_transactions",
        "A connection keeps a transaction open in which nothing happens: it holds its locks and old rows.",
        "SELECT 'process ' || pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND state LIKE 'idle in transaction%%' AND state_change < now() - make_interval(secs => %(idle_seconds)s)",
    ),
    Check(
        "revisions",
        "The revisions of an organization are not put together: reading them becomes slow.",
        "SELECT 'organization ' || organization_id FROM revisions_revision GROUP BY organization_id"
        " HAVING count(*) > %(most_revisions)s",
        is_warning=True,
    ),
    Check(
        "answers",
        "Answers to repeated requests are kept longer than they are used: the hourly job does not run.",
        "SELECT 'answer ' || id FROM idempotency_answer"
        " WHERE created_at < now() - make_interval(hours => %(most_hours)s)",
        is_warning=True,
    ),
)


def findings() -> list[Finding]:
    """Return what every check finds, in the caller's transaction."""
    found = []
    with progress("Checking", len(CHECKS)) as work:
        for check in CHECKS:
            work.now = check.name
            found.append(check.run())
            work.done += 1
    return found


def of_one_snapshot() -> list[Finding]:
    """Return what every check finds in one snapshot, in a transaction of its own that can only read."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return findings()
