"""What changes the state of an organization: every table that has the triggers is tried.

The tables are those of the catalog: one that gets triggers later is tested, too.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

import pytest
from django.db import connection, transaction

from annotations.models import Annotation
from cohorts.models import Calculation, Cohort
from core6.accounts.models import Membership, Organization
from core6.analytics.models import Dashboard, Experiment, GroupType, Insight
from core6.database import replica
from core6.revisions.models import EVERYWHERE, TRIGGERS, Revision, watched_tables
from projects.models import ProductIntent, Project
from roles.models import Role, RoleMembership
from tests.conftest import Cast
from tests.database.test_migrations import latest, migrate

pytestmark = pytest.mark.django_db
BEFORE = [("revisions", "0002_triggers")]
_FOUND = (
    "SELECT tgrelid::regclass::text, tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname LIKE %s"
)


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for each in statements:
            cursor.execute(each)


def ask(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def triggers() -> dict[str, dict[str, tuple[str, str]]]:
    """Return of every table that has triggers how each is enabled, and its definition."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for table, name, enabled, definition in ask(_FOUND, "revise%"):
        found.setdefault(table, {})[name] = enabled, definition
    return found


def states(*organizations: Organization) -> list[int | None]:
    return [replica.state(each.pk) for each in organizations]


def changed(organizations: Sequence[Organization], change: str | Callable[[], Any]) -> list[bool]:
    """Return of each organization whether a change, or a statement, gave it a new state."""
    before = states(*organizations)
    if isinstance(change, str):
        execute(change)
    else:
        change()
    return [was != now for was, now in zip(before, states(*organizations), strict=True)]


@pytest.fixture
def other(cast: Cast) -> Organization:
    """An organization that no change concerns."""
    return Organization.objects.create(name="Initech")


@pytest.fixture
def rows(cast: Cast, other: Organization) -> dict[str, Any]:
    """A row of Acme in every table that has triggers, by the table."""
    role = Role.objects.create(organization=cast.acme, name="Engineers")
    member = Membership.objects.get(organization=cast.acme, user=cast.alice)
    cohort = Cohort.objects.create(project=cast.web)
    made = [
        cast.alice,
        cast.acme,
        member,
        cast.web,
        ProductIntent.objects.create(project=cast.web, product_type="surveys"),
        Dashboard.objects.create(project=cast.web),
        Insight.objects.create(project=cast.web),
        GroupType.objects.create(project=cast.web, group_type="company", group_type_index=0),
        Experiment.objects.create(project=cast.web, name="one"),
        Annotation.objects.create(organization=cast.acme, project=cast.web, content="one"),
        role,
        RoleMembership.objects.create(role=role, organization_member=member),
        cohort,
        Calculation.objects.create(cohort=cohort),
    ]
    return {each._meta.db_table: each for each in made}


def move(row: Any, column: str, target: Any) -> Callable[[], Any]:
    return lambda: type(row).objects.filter(pk=row.pk).update(**{column: target})


def test_every_table_with_a_trigger_has_all_four_and_each_fires_always():
    assert len(triggers()) > 10
    for table, found in triggers().items():
        assert set(found) == set(TRIGGERS), table
        for name, (enabled, definition) in found.items():
            assert enabled == "A", (table, name)
            event = name.removeprefix("revise_on_").upper()
            assert f" AFTER {event} ON " in definition
            assert " FOR EACH STATEMENT " in definition
    assert watched_tables() == set(triggers())


def test_every_table_with_a_trigger_has_a_row_in_these_tests(rows: dict[str, Any]):
    assert set(rows) == watched_tables()


def test_a_change_of_a_row_of_any_table_is_noted_where_it_shows(rows: dict[str, Any], cast: Cast, other: Organization):
    for table, row in rows.items():
        key = row._meta.pk.column
        found = changed((cast.acme, other), f"UPDATE {table} SET {key} = {key} WHERE {key} = '{row.pk}'")
        assert found == [True, table == "accounts_user"], table


def test_a_statement_that_finds_no_row_is_not_noted(rows: dict[str, Any], cast: Cast, other: Organization):
    for table in rows:
        for statement in (f"DELETE FROM {table} WHERE false", f"UPDATE {table} SET id = id WHERE false"):
            assert changed((cast.acme, other), statement) == [False, False], statement


#: Where a row may be moved to, by its table: the column, and whose of Globex it gets.
MOVES: dict[str, tuple[str, Callable[[Cast], Any]]] = {
    "accounts_membership": ("organization", lambda cast: cast.globex),
    "projects_project": ("organization", lambda cast: cast.globex),
    "projects_productintent": ("project", lambda cast: cast.globex_web),
    "analytics_dashboard": ("project", lambda cast: cast.globex_web),
    "analytics_insight": ("project", lambda cast: cast.globex_web),
    "analytics_grouptype": ("project", lambda cast: cast.globex_web),
    "analytics_experiment": ("project", lambda cast: cast.globex_web),
    "annotations_annotation": ("organization", lambda cast: cast.globex),
    "roles_role": ("organization", lambda cast: cast.globex),
    "roles_rolemembership": ("role", lambda cast: Role.objects.create(organization=cast.globex, name="Sales")),
    "cohorts_cohort": ("project", lambda cast: cast.globex_web),
    "cohorts_calculation": ("cohort", lambda cast: Cohort.objects.create(project=cast.globex_web)),
}


def test_a_row_that_moves_is_noted_where_it_was_and_where_it_comes(
    rows: dict[str, Any], cast: Cast, other: Organization
):
    assert set(MOVES) == watched_tables() - {"accounts_user", "accounts_organization"}
    for table, (column, target) in MOVES.items():
        with transaction.atomic():
            change = move(rows[table], column, target(cast))
            assert changed((cast.acme, cast.globex, other), change) == [True, True, False], table
            transaction.set_rollback(True)


def test_rows_of_several_organizations_that_move_by_one_statement_are_noted_everywhere(cast: Cast, other: Organization):
    for project, organization in ((cast.web, cast.acme), (cast.globex_web, cast.globex)):
        Annotation.objects.create(organization=organization, project=project)
    target = Organization.objects.create(name="Hooli")
    change = Annotation.objects.all().update
    assert changed((cast.acme, cast.globex, target, other), lambda: change(organization=target)) == [
        *(True, True, True),
        False,
    ]


def test_a_row_that_moves_after_what_it_belonged_to_is_noted_as_well(rows: dict[str, Any], cast: Cast):
    """The join finds only where the project is now; that it was elsewhere its own trigger has noted."""

    def change() -> None:
        cast.web.organization = cast.globex
        cast.web.save()
        Cohort.objects.filter(pk=rows["cohorts_cohort"].pk).update(project=cast.globex_app)

    assert changed((cast.acme, cast.globex), change) == [True, True]


#: A parent that goes before, or together with, what belongs to it.
FAMILIES = [
    ("cohorts_cohort", "cohorts_calculation", "cohort_id"),
    ("roles_role", "roles_rolemembership", "role_id"),
]


@pytest.mark.parametrize(("parent", "child", "column"), FAMILIES)
@pytest.mark.parametrize("order", ["child first", "parent first", "at once"])
def test_a_deletion_is_noted_whatever_went_first(
    rows: dict[str, Any], cast: Cast, other: Organization, parent: str, child: str, column: str, order: str
):
    key = rows[parent].pk
    of_parent, of_child = f"DELETE FROM {parent} WHERE id = '{key}'", f"DELETE FROM {child} WHERE {column} = '{key}'"
    together = f"WITH gone AS ({of_parent}) {of_child}"
    given = {"child first": [of_child, of_parent], "parent first": [of_parent, of_child], "at once": [together]}
    assert changed((cast.acme, other), lambda: execute(*given[order])) == [True, False]
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert not ask(f"SELECT FROM {child} WHERE {column} = %s", key)


def test_a_deletion_by_a_cascade_of_the_database_is_noted(rows: dict[str, Any], cast: Cast, other: Organization):
    """No key does that today: the row of the parent is gone when the trigger of the child looks for it."""
    ((key,),) = ask(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'roles_rolemembership'::regclass"
        " AND confrelid = 'roles_role'::regclass"
    )
    execute(
        "SET CONSTRAINTS ALL IMMEDIATE",
        f"ALTER TABLE roles_rolemembership DROP CONSTRAINT {key}, ADD FOREIGN KEY (role_id) REFERENCES roles_role"
        " ON DELETE CASCADE ON UPDATE CASCADE",
    )
    assert changed((cast.acme, other), "DELETE FROM roles_role") == [True, False]
    assert not RoleMembership.objects.exists()


def test_a_deletion_of_an_organization_with_everything_in_it_is_noted(
    rows: dict[str, Any], cast: Cast, other: Organization
):
    gone = Organization(pk=cast.acme.pk)
    assert changed((gone, cast.globex, other), cast.acme.delete) == [True, False, False]


def test_what_is_inserted_before_what_it_belongs_to_is_noted(cast: Cast, other: Organization):
    def change() -> None:
        key = cast.web.pk + 1000
        cohort = Cohort.objects.create(project_id=key)
        Calculation.objects.create(cohort=cohort)
        Project.objects.create(pk=key, organization=cast.acme)

    assert changed((cast.acme, other), change) == [True, False]


def test_truncate_of_any_table_is_noted_in_every_organization(rows: dict[str, Any], cast: Cast, other: Organization):
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    for table in watched_tables():
        with transaction.atomic():
            organizations = (cast.acme, cast.globex, other, Organization(name="of nobody"))
            assert changed(organizations, f"TRUNCATE {table} CASCADE") == [True] * 4, table
            assert Revision.objects.filter(organization_id=EVERYWHERE).exists()
            transaction.set_rollback(True)


def test_truncate_of_everything_together_leaves_no_state_of_before(rows: dict[str, Any], cast: Cast):
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    tables = ", ".join([*watched_tables(), Revision._meta.db_table])
    assert changed((cast.acme, cast.globex), f"TRUNCATE {tables} CASCADE") == [True, True]
    assert None not in states(cast.acme, cast.globex)


def test_a_session_in_the_role_of_a_replica_is_seen(rows: dict[str, Any], cast: Cast, other: Organization):
    execute("SET CONSTRAINTS ALL IMMEDIATE", "SET LOCAL session_replication_role = replica")
    for table, row in rows.items():
        key, name = row._meta.pk.column, f"'{row.pk}'"
        columns = ", ".join(f'"{field.column}"' for field in row._meta.concrete_fields if not field.generated)
        for statement in (
            f"UPDATE {table} SET {key} = {key} WHERE {key} = {name}",
            f"CREATE TEMPORARY TABLE kept AS SELECT {columns} FROM {table} WHERE {key} = {name}",
            f"DELETE FROM {table} WHERE {key} = {name}",
            f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM kept",
            "DROP TABLE kept",
        ):
            seen = statement.startswith(("UPDATE", "DELETE", "INSERT"))
            found = changed((cast.acme, other), statement)
            assert found == [seen, seen and table == "accounts_user"], statement
        with transaction.atomic():
            assert changed((cast.acme, other), f"TRUNCATE {table} CASCADE") == [True, True], table
            transaction.set_rollback(True)


def test_numbers_of_a_session_in_the_role_of_a_replica_take_no_id_of_a_row_that_arrives(cast: Cast):
    Annotation.objects.create(organization=cast.acme, project=cast.web)
    before = set(Revision.objects.values_list("pk", flat=True))
    execute("SET LOCAL session_replication_role = replica")
    for number in range(150):  # others put numbers together once in 33 times
        Annotation.objects.update(content=str(number))
    after = set(Revision.objects.values_list("pk", flat=True))
    assert before < after
    assert len(after - before) == 150
    assert max(after - before) < 0


@pytest.mark.parametrize("role", ["origin", "replica"])
def test_triggers_find_their_tables_without_a_search_path(cast: Cast, role: str):
    """As in a copy that logical replication begins."""
    execute(f"SET LOCAL session_replication_role = {role}", "SET LOCAL search_path = ''")

    def state() -> list[tuple[Any, ...]]:
        return ask("SELECT bit_xor(number) FROM public.revisions_revision WHERE organization_id = %s", cast.acme.pk)

    before = state()
    execute("UPDATE public.projects_project SET name = 'Other' WHERE name = 'Web'")
    assert state() != before


@pytest.mark.parametrize(
    "change",
    [
        *(f"ALTER TABLE roles_role DISABLE TRIGGER {name}" for name in TRIGGERS),
        *(f"ALTER TABLE roles_role ENABLE TRIGGER {name}" for name in TRIGGERS),
        *(f"ALTER TABLE roles_role ENABLE REPLICA TRIGGER {name}" for name in TRIGGERS),
        *(f"DROP TRIGGER {name} ON roles_role" for name in TRIGGERS),
        "ALTER TABLE roles_role DISABLE TRIGGER USER",
    ],
)
def test_a_table_one_of_whose_triggers_does_not_always_fire_is_not_watched(change: str):
    before = watched_tables()
    execute(change)
    assert watched_tables() == before - {"roles_role"}
    assert "roles_role" in before


def test_triggers_of_another_schema_are_not_meant():
    before = watched_tables()
    execute(
        "CREATE SCHEMA elsewhere",
        "CREATE TABLE elsewhere.odd (id int)",
        *(
            f"CREATE TRIGGER {name} AFTER {name.removeprefix('revise_on_')} ON elsewhere.odd"
            " EXECUTE FUNCTION revise_everywhere()"
            for name in TRIGGERS
        ),
        *(f"ALTER TABLE elsewhere.odd ENABLE ALWAYS TRIGGER {name}" for name in TRIGGERS),
    )
    assert watched_tables() == before
    execute("SET LOCAL search_path = public, elsewhere")
    assert watched_tables() == before | {"odd"}


@pytest.fixture
def migrated(transactional_db: None) -> Iterator[None]:
    yield
    migrate(latest())


def functions() -> list[tuple[Any, ...]]:
    return ask("SELECT proname, prosrc, proconfig FROM pg_proc WHERE proname LIKE %s ORDER BY 1", "revise%")


def test_the_way_back_brings_the_triggers_of_before(migrated: None):
    now, now_functions = triggers(), functions()
    migrate(BEFORE)
    assert watched_tables() == frozenset()
    before = import_module("core6.revisions.migrations.0002_triggers")
    assert set(triggers()) == set(before.ORGANIZATIONS)
    for table, found in triggers().items():
        assert {name: enabled for name, (enabled, _) in found.items()} == {
            "revise_on_insert": "O",
            "revise_on_update": "O",
            "revise_on_delete": "O",
        }
        assert (
            f"REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION revise_{table}()"
            in (found["revise_on_update"][1])
        )
    expected = {f"revise_{table}": before.statements(table)[0][0].split("$$")[1] for table in before.ORGANIZATIONS}
    assert {name: source for name, source, _ in functions()} == expected
    assert {config for *_, config in functions()} == {None}
    migrate(latest())
    assert (triggers(), functions()) == (now, now_functions)


def test_rows_that_are_there_stay_and_get_a_new_state(migrated: None):
    migrate(BEFORE)
    acme, globex = (Organization.objects.create(name=name) for name in ("Acme", "Globex"))
    web = Project.objects.create(organization=acme)
    before = states(acme, globex)
    Project.objects.filter(pk=web.pk).update(organization=globex)
    assert states(acme) == before[:1]  # what this is about
    before = states(acme, globex)
    migrate(latest())
    assert all(was != now for was, now in zip(before, states(acme, globex), strict=True))
    assert Project.objects.get().organization == globex


def test_a_migration_that_was_interrupted_is_run_again(migrated: None):
    now, now_functions = triggers(), functions()
    migrate(BEFORE)
    migration = import_module("core6.revisions.migrations.0003_old_rows_truncate_always").Migration
    with transaction.atomic():
        for operation in migration.operations[:5]:
            for statement in [operation.sql] if isinstance(operation.sql, str) else operation.sql:
                execute(statement)
    assert len(watched_tables()) == 4
    migrate(latest())
    assert (triggers(), functions()) == (now, now_functions)


def test_writers_go_on_while_a_lock_is_waited_for(migrated: None):
    """A transaction that stays open keeps the migration away; others that write there are held up for a second."""
    acme = Organization.objects.create(name="Acme")
    migrate(BEFORE)
    holder, writer = connection.copy(), connection.copy()
    thread = threading.Thread(target=migrate, args=[latest()])  # which closes the connection of its thread
    try:
        holder.set_autocommit(False)
        with holder.cursor() as cursor:
            cursor.execute("UPDATE accounts_organization SET name = 'Held' WHERE false")
        thread.start()
        deadline = time.monotonic() + 10
        while not ask("SELECT FROM pg_locks WHERE NOT granted AND mode = 'ShareRowExclusiveLock'"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with writer.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
            cursor.execute("UPDATE accounts_organization SET name = 'Written' WHERE id = %s", [acme.pk])
        assert thread.is_alive()
        holder.rollback()
        thread.join(20)
        assert not thread.is_alive()
    finally:
        holder.close()
        writer.close()
        thread.join(20)
    assert Organization.objects.get().name == "Written"
    assert "accounts_organization" in watched_tables()
