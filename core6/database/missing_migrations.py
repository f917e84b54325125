"""Which migrations of this release the connected database lacks, and which it has of another release."""

from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def missing_migrations() -> list[str]:
    """Return the names of those that are not applied, in their order, such as `cohorts.0001_initial`."""
    return _missing(MigrationExecutor(connection))


def missing_and_unknown_migrations() -> tuple[list[str], list[str]]:
    """Return the names of those that are not applied, and of those that are applied and unknown to this release."""
    loader = (executor := MigrationExecutor(connection)).loader
    applied = [f"{app}.{name}" for app, name in loader.applied_migrations if app in loader.migrated_apps]
    known = {f"{app}.{name}" for app, name in (*loader.disk_migrations, *loader.replacements)}
    return _missing(executor), [each for each in applied if each not in known]


def _missing(executor: MigrationExecutor) -> list[str]:
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
