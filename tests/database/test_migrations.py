"""Migrations keep the data of an earlier release, which can go on writing meanwhile."""

import uuid
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from core6.accounts.models import Organization
from core6.database.missing_migrations import missing_and_unknown_migrations
from projects.models import Project
from tests.support.last_release import LIBRARY_MIGRATIONS, MIGRATIONS

BEFORE_SETTINGS = [("projects", "0001_initial"), ("analytics", "0001_initial")]


def migrate(targets: list[tuple[str, str]]) -> None:
    """Migrate as the commands do: without the prepared statements of web workers."""
    options = connection.settings_dict["OPTIONS"]
    connection.close()
    connection.settings_dict["OPTIONS"] = {
        name: value for name, value in options.items() if name not in settings.WEB_CONNECTION_OPTIONS
    }
    try:
        MigrationExecutor(connection).migrate(targets)
    finally:
        connection.close()
        connection.settings_dict["OPTIONS"] = options


def latest() -> list[tuple[str, str]]:
    return MigrationExecutor(connection).loader.graph.leaf_nodes()


@pytest.fixture
def organization(transactional_db: None) -> Iterator[Organization]:
    yield Organization.objects.create(name="Acme")
    migrate(latest())


def insert_as_the_first_release_does(organization: Organization, name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO projects_project (uuid, organization_id, name, api_token, timezone, created_at, updated_at)"
            " VALUES (%s, %s, %s, %s, 'Europe/Berlin', now(), now()) RETURNING id",
            [uuid.uuid4(), organization.pk, name, f"phc_{name}"],
        )
        return cursor.fetchone()[0]


def test_a_project_of_the_first_release_keeps_what_it_has_and_gets_the_defaults(organization: Organization):
    migrate(BEFORE_SETTINGS)
    key = insert_as_the_first_release_does(organization, "old")
    migrate(latest())
    project = Project.objects.get(pk=key)
    assert (project.name, project.api_token, project.timezone) == ("old", "phc_old", "Europe/Berlin")
    assert (project.app_urls, project.data_attributes, project.test_account_filters) == ([], ["data-attr"], [])
    assert (project.capture_console_log_opt_in, project.anonymize_ips, project.week_start_day) == (True, False, None)
    assert project.secret_api_token is None


def test_the_first_release_can_write_beside_this_one(organization: Organization):
    project = Project.objects.get(pk=insert_as_the_first_release_does(organization, "meanwhile"))
    assert (project.app_urls, project.is_demo, project.access_control) == ([], False, False)
    assert (project.data_attributes, project.test_account_filters) == (["data-attr"], [])


OF_LAST_RELEASE = [(app, name) for app, names in MIGRATIONS.items() for name in names]


def test_this_release_has_each_migration_of_the_last_one(db: None):
    found = MigrationExecutor(connection).loader.disk_migrations
    replaced = {each for migration in found.values() for each in migration.replaces}
    assert {*OF_LAST_RELEASE, *LIBRARY_MIGRATIONS.items()} <= {*found, *replaced}


def test_a_database_of_the_last_release_is_migrated_to_this_one(organization: Organization):
    migrate([*((app, names[-1]) for app, names in MIGRATIONS.items()), *LIBRARY_MIGRATIONS.items()])
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = ANY(%s)", [[*MIGRATIONS]])
        row = "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, now())"
        cursor.executemany(row, OF_LAST_RELEASE)
    key = insert_as_the_first_release_does(organization, "last")
    migrate(latest())
    assert missing_and_unknown_migrations() == ([], [])
    assert Project.objects.get(pk=key).name == "last"
