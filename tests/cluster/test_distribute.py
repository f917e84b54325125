"""`manage.py distribute` on something that looks like Citus."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from core6.analytics.models import Person
from core6.cluster.plan import PEOPLE
from core6.management.commands import distribute
from core6.revisions.models import TRIGGERS
from tests.support.fake_citus import FAKE
from tests.support.places import place
from tests.support.serving import refusal

DISTRIBUTED = [f"distribute {table} by project_id" for table in PEOPLE]


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for each in statements:
            cursor.execute(each)


def empty() -> None:
    """Give the tables no room at all: rows of other tests were rolled back, but have taken some."""
    execute(f"TRUNCATE {', '.join(PEOPLE)}")


@pytest.fixture
def server(db: None, settings: Any) -> None:
    """A database of its own server, without the extension."""
    settings.IS_EMBEDDED = False
    empty()


@pytest.fixture
def citus(server: None) -> None:
    execute(*FAKE)


def calls() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT call FROM calls ORDER BY number")
        return [call for (call,) in cursor.fetchall()]


def run(*arguments: str) -> Any:
    command = distribute.Command()
    return command.run(vars(command.create_parser("manage.py", "distribute").parse_args(arguments)))


def test_people_are_distributed_one_after_the_other(citus: None, capsys: pytest.CaptureFixture[str]):
    assert run() == "5 of 5 tables put in their places, the others were there."
    assert calls() == DISTRIBUTED
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith(
        "SELECT create_distributed_table('analytics_person', 'project_id', colocate_with => 'none'); -- "
    )
    assert all(line.endswith(" s") for line in lines)


def test_a_second_run_does_nothing(citus: None, capsys: pytest.CaptureFixture[str]):
    run()
    capsys.readouterr()
    assert run() == "0 of 5 tables put in their places, the others were there."
    assert calls() == DISTRIBUTED
    assert capsys.readouterr().out == ""


def test_after_an_interruption_the_rest_is_done(citus: None):
    begun = []

    def interrupted(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("SELECT create_distributed_table("):
            begun.append(sql)
            if len(begun) == 3:
                raise KeyboardInterrupt
        return execute(sql, *arguments)

    with connection.execute_wrapper(interrupted), pytest.raises(KeyboardInterrupt):
        run()
    assert calls() == DISTRIBUTED[:2]
    assert run() == "3 of 5 tables put in their places, the others were there."
    assert calls() == DISTRIBUTED


def test_rows_that_were_copied_to_other_nodes_are_cleared_here_even_after_an_interruption(citus: None):
    Person.objects.create(project_id=1)
    execute("INSERT INTO pg_dist_partition VALUES ('analytics_person', 'h', 'project_id', 1, 's')")
    run()
    assert calls() == ["clear analytics_person", *DISTRIBUTED[1:]]


def test_a_table_of_every_node_comes_first(citus: None):
    execute(*(f"DROP TRIGGER {trigger} ON projects_project" for trigger in TRIGGERS))
    execute("TRUNCATE projects_project CASCADE")
    assert run() == "6 of 6 tables put in their places, the others were there."
    assert calls() == ["copy projects_project", *DISTRIBUTED]


def test_a_table_that_lies_otherwise_is_refused(citus: None):
    execute("INSERT INTO pg_dist_partition VALUES ('analytics_person', 'n', NULL, 2, 't')")
    with pytest.raises(CommandError) as refused:
        run()
    assert str(refused.value) == (
        "analytics_person is a reference table, and is to be a distributed one:"
        " run SELECT undistribute_table('analytics_person'), then this again"
    )


def test_what_citus_refuses_is_reported_with_what_to_do(citus: None):
    execute(
        "DROP FUNCTION create_distributed_table", "CREATE FUNCTION create_distributed_table() RETURNS void RETURN NULL"
    )
    with pytest.raises(CommandError) as refused, transaction.atomic():
        run()
    execute("SELECT pg_advisory_unlock_all()")  # which it could not do in a transaction that had failed
    assert "function create_distributed_table(unknown" in str(refused.value)
    assert str(refused.value).endswith(": put that right and run this again, what was done stays")


def test_without_the_extension_it_says_how_to_install_it(server: None):
    with pytest.raises(CommandError) as refused:
        run()
    assert str(refused.value) == (
        "the database has no Citus: install its package on every node, set shared_preload_libraries = 'citus', restart,"
        " and run CREATE EXTENSION citus in this database there (core6/docs/scale.md)"
    )


def test_the_embedded_database_cannot_be_a_cluster(db: None, settings: Any):
    settings.IS_EMBEDDED = True
    with pytest.raises(CommandError, match=r"^the embedded database is one server and no cluster: .*scale\.md"):
        run()


def test_a_broken_rule_stops_it_before_anything_is_done(citus: None):
    execute("CREATE UNIQUE INDEX broken ON analytics_distinctid (distinct_id)")
    with pytest.raises(CommandError, match="The unique index broken of analytics_distinctid does not hold project_id"):
        run()
    assert calls() == []


def test_a_dry_run_prints_statements_and_reasons_and_does_nothing(citus: None):
    shown = run("--dry-run")
    assert shown.startswith(
        "-- distributed, since each row is of one project, and every request names it\n"
        "SELECT create_distributed_table('analytics_person', 'project_id', colocate_with => 'none');\n"
        "SELECT create_distributed_table('analytics_distinctid', 'project_id', colocate_with => 'analytics_person');\n"
        "SELECT create_distributed_table('cohorts_cohortmember', 'project_id', colocate_with => 'analytics_person');\n"
        "SELECT create_distributed_table('analytics_personoverride', 'project_id',"
        " colocate_with => 'analytics_person');\n"
        "SELECT create_distributed_table('analytics_event', 'project_id', colocate_with => 'analytics_person');\n"
        "-- on the coordinator, since no statement puts them together with people: "
    )
    assert "since their triggers write to tables that are only here: projects_project" in shown
    assert calls() == []


def test_the_output_of_a_dry_run_is_a_script(citus: None):
    with connection.cursor() as cursor:
        for line in run("--dry-run").splitlines():
            if not line.startswith("--"):
                cursor.execute(line)
    assert calls() == DISTRIBUTED
    assert run().startswith("0 of 5")


def test_distribute_is_a_command(transactional_db: None, settings: Any, capsys: pytest.CaptureFixture[str]):
    settings.IS_EMBEDDED = settings.IS_SECRET_KEY_GENERATED = False
    call_command("distribute", "--dry-run")
    assert capsys.readouterr().out.count("SELECT create_distributed_table(") == 5


def test_where_there_is_nothing_nothing_is_made():
    with place() as parent:
        message = refusal(Path(parent) / "data", "distribute", "--dry-run")
        assert "there is no database in" in message
        assert message.endswith("nothing to distribute")
        assert not (parent / "data").exists()


def test_with_citus_a_connection_plans_its_statements_with_their_values(citus: None):
    def mode() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW plan_cache_mode")
            return str(cursor.fetchone()[0])

    assert mode() == "force_generic_plan"
    connection.init_connection_state()
    assert mode() == "auto"


def test_without_citus_it_plans_them_once(server: None):
    connection.init_connection_state()
    with connection.cursor() as cursor:
        cursor.execute("SHOW plan_cache_mode")
        assert cursor.fetchone() == ("force_generic_plan",)
