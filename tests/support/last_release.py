"""Names of the last release that stand in rows of the database: its jobs and its migrations.

The last release is commit 10998a9, the last before the modules of core6 moved. Names are added here and never changed:
a database that has them is updated to this release. A task that moves keeps its old name as one of its `aliases`.
"""

from typing import Any, NamedTuple

from tests.support.cohorts.people import all_of, leaf


class Job(NamedTuple):
    """A row of `procrastinate_jobs`."""

    task: str
    args: dict[str, Any]
    lock: str | None = None
    queueing_lock: str | None = None
    is_of_organization: bool = False
    priority: int = 0
    status: str = "todo"


QUERY = {"kind": "ActorsQuery", "properties": [leaf("name", value="Ann")]}
#: A row of each task, and of each way to add persons.
JOBS = [
    Job("core6.tasks.retry_stalled_jobs", {"timestamp": 1795955060}, queueing_lock="retry_stalled_jobs"),
    Job("core6.tasks.forget_answers", {"timestamp": 1795954620}, queueing_lock="forget_answers"),
    Job("core6.tasks.forget_activity", {"timestamp": 1795954740}, queueing_lock="forget_activity"),
    Job("core6.tasks.forget_sessions", {"timestamp": 1795954980}, queueing_lock="forget_sessions"),
    Job("core6.tasks.delete_people", {"project_id": 3}, "people:3"),
    Job("core6.demo.tasks.fill_demo_project", {"project_id": 2}, "demo:2"),
    Job("cohorts.tasks.calculate_cohort", {"cohort_id": 1}, "cohort:1", None, True, -1),
    Job("cohorts.tasks.calculate_dated_cohorts", {"project_id": 1}, "dates:1"),
    Job("cohorts.tasks.populate_cohort", {"cohort_id": 3, "source": {"query": QUERY}}, "cohort:3", None, True, -2),
    Job(
        "cohorts.tasks.populate_cohort",
        {"cohort_id": 3, "source": {"filters": all_of(leaf("name", value="Ben"))}},
        *("cohort:3", None, True, -3),
    ),
    Job(
        "cohorts.tasks.populate_cohort",
        {"cohort_id": 3, "source": {"by": "distinct_id", "values": ["cleo"]}},
        *("cohort:3", None, True, -4),
    ),
    Job("cohorts.tasks.forget_calculations", {"timestamp": 1795954860}, queueing_lock="forget_calculations"),
    Job("cohorts.tasks.refresh_cohorts", {"timestamp": 1795955040}, queueing_lock="refresh_cohorts"),
    # Of the release after that:
    Job("cohorts.tasks.count_static_cohorts", {"timestamp": 1795955340}, queueing_lock="count_static_cohorts"),
    Job("core6.capture.tasks.fold_merges", {"project_id": 1}, "merges:1"),
]

#: What `django_migrations` has of our apps.
MIGRATIONS = {
    "accounts": [
        "0001_initial",
        "0002_relations",
        "0003_organization_default_role",
        "0004_personal_api_key_name",
        "0005_key_without_scopes",
    ],
    "activity": ["0001_initial", "0002_change_name", "0003_index_by_age"],
    "analytics": [
        "0001_initial",
        "0002_group_types",
        "0003_people",
        "0004_insight_query",
        "0005_experiments",
        "0006_group_types_of_projects",
    ],
    "annotations": ["0001_initial", "0002_indexes_of_lists"],
    "cohorts": ["0001_initial", "0002_referenced_cohorts", "0003_definitions"],
    "idempotency": ["0001_initial", "0002_organization"],
    "projects": ["0001_initial", "0002_settings", "0003_product_intents"],
    "rate_limits": ["0001_initial"],
    "revisions": ["0001_initial", "0002_triggers", "0003_old_rows_truncate_always"],
    "roles": ["0001_initial"],
}
#: The last ones that it has of libraries.
LIBRARY_MIGRATIONS = {
    "admin": "0003_logentry_add_action_flag_choices",
    "auth": "0012_alter_user_first_name_max_length",
    "contenttypes": "0002_remove_content_type_name",
    "procrastinate": "0041_post_retry_failed_job",
    "sessions": "0001_initial",
}
