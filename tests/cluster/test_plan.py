"""Where each table is in a cluster, and whether it can be there: each rule of Citus, kept and broken."""

import re

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import CompositePrimaryKey

from core6 import tasks
from core6.cluster import plan as distribution
from core6.cluster.plan import COLUMN, JOINED, PEOPLE, Table, plan
from core6.cluster.rules import RULES, broken
from core6.diagnosis.integrity import CHECKS
from core6.revisions.models import TRIGGERS

pytestmark = pytest.mark.django_db


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for each in statements:
            cursor.execute(each)


def place(name: str) -> Table:
    (found,) = [table for table in plan() if table.name == name]
    return found


def test_the_real_schema_keeps_every_rule():
    assert broken(plan()) == []


def test_people_are_distributed_beside_one_another_first_of_all():
    assert [table.statement for table in plan()][:5] == [
        "SELECT create_distributed_table('analytics_person', 'project_id', colocate_with => 'none')",
        "SELECT create_distributed_table('analytics_distinctid', 'project_id', colocate_with => 'analytics_person')",
        "SELECT create_distributed_table('cohorts_cohortmember', 'project_id', colocate_with => 'analytics_person')",
        (
            "SELECT create_distributed_table('analytics_personoverride', 'project_id',"
            " colocate_with => 'analytics_person')"
        ),
        "SELECT create_distributed_table('analytics_event', 'project_id', colocate_with => 'analytics_person')",
    ]


def test_everything_else_stays_and_needs_no_statement():
    others = [table for table in plan() if table.name not in PEOPLE]
    assert {(table.place, table.statement) for table in others} == {("coordinator", "")}
    assert {"accounts_user", "revisions_revision", "procrastinate_events"} <= {table.name for table in others}


def test_people_are_the_tables_whose_keys_begin_with_the_project():
    keyed = {
        model._meta.db_table
        for model in apps.get_models()
        if isinstance(model._meta.pk, CompositePrimaryKey) and model._meta.pk.field_names[0] == COLUMN
    }
    assert set(PEOPLE) == keyed == set(tasks.PERSON_TABLES)


def test_the_small_tables_that_are_joined_with_people_are_those_of_verify():
    statements = [check.offenders for check in CHECKS if isinstance(check.offenders, str)]
    found = {
        name for sql in statements if any(table in sql for table in PEOPLE) for name in re.findall(r"\w+_\w+", sql)
    }
    tables = set(connection.introspection.table_names())
    assert found & tables - set(PEOPLE) == set(JOINED)


def test_a_table_that_nobody_named_stays():
    execute("CREATE TABLE console_session (id bigint PRIMARY KEY)")
    assert place("console_session").place == "coordinator"
    assert broken(plan()) == []


def test_a_joined_table_with_triggers_stays_for_their_sake():
    assert place("projects_project").place == "coordinator"
    assert "triggers" in place("projects_project").reason


def test_a_joined_table_without_triggers_is_copied_to_every_node_before_people_are_distributed():
    execute(*(f"DROP TRIGGER {trigger} ON projects_project" for trigger in TRIGGERS))
    assert [table.name for table in plan()][:6] == ["projects_project", *PEOPLE]
    assert plan()[0].statement == "SELECT create_reference_table('projects_project')"
    assert broken(plan()) == []


_FROM_MEMBERS = "ALTER TABLE cohorts_cohortmember ADD CONSTRAINT broken FOREIGN KEY"
#: A rule, what breaks it, and the message.
BREAKS = [
    (
        "kind",
        "ALTER TABLE analytics_event SET UNLOGGED",
        (
            "analytics_event is unlogged, has parts or belongs to another table:"
            " only an ordinary table can be distributed and moved."
        ),
    ),
    (
        "kind",
        "CREATE TABLE part () INHERITS (analytics_event)",
        (
            "analytics_event is unlogged, has parts or belongs to another table:"
            " only an ordinary table can be distributed and moved."
        ),
    ),
    (
        "column",
        "ALTER TABLE analytics_person ALTER COLUMN project_id TYPE integer",
        (
            "analytics_person has no project_id of type bigint that is given and never null:"
            " by equal ones rows come to the same node."
        ),
    ),
    (
        "primary_key",
        "ALTER TABLE analytics_event DROP CONSTRAINT analytics_event_pkey",
        "analytics_event has no primary key: its changes could not be passed on while a shard moves.",
    ),
    (
        "unique",
        "CREATE UNIQUE INDEX broken ON analytics_distinctid (distinct_id)",
        (
            "The unique index broken of analytics_distinctid does not hold project_id:"
            " each node could only look at its own rows."
        ),
    ),
    (
        "unique",
        "CREATE UNIQUE INDEX broken ON analytics_distinctid (distinct_id) INCLUDE (project_id)",
        (
            "The unique index broken of analytics_distinctid does not hold project_id:"
            " each node could only look at its own rows."
        ),
    ),
    (
        "unique",
        "CREATE UNIQUE INDEX broken ON analytics_distinctid (abs(project_id), distinct_id)",
        (
            "The unique index broken of analytics_distinctid does not hold project_id:"
            " each node could only look at its own rows."
        ),
    ),
    (
        "exclusion",
        "ALTER TABLE analytics_event ADD CONSTRAINT broken EXCLUDE USING btree (uuid WITH =)",
        (
            "The exclusion broken of analytics_event does not compare project_id by =:"
            " each node could only look at its own rows."
        ),
    ),
    (
        "key_from_people",
        f"{_FROM_MEMBERS} (cohort_id) REFERENCES cohorts_cohort (id)",
        (
            "The foreign key broken leads from cohorts_cohortmember, whose rows are on several nodes,"
            " to cohorts_cohort, which is on the coordinator."
        ),
    ),
    (
        "key_to_people",
        "CREATE TABLE other (a bigint, b uuid, CONSTRAINT broken FOREIGN KEY (a, b) REFERENCES analytics_person)",
        (
            "The foreign key broken leads from other, which is whole,"
            " to analytics_person, whose rows are on several nodes."
        ),
    ),
    (
        "key_between_people",
        f"{_FROM_MEMBERS} (cohort_id, person_uuid) REFERENCES analytics_person",
        (
            "The foreign key broken from cohorts_cohortmember to analytics_person"
            " does not hold project_id at the same place on both sides."
        ),
    ),
    (
        "key_changes_project",
        f"{_FROM_MEMBERS} (project_id, person_uuid) REFERENCES analytics_person ON UPDATE CASCADE",
        "The foreign key broken of cohorts_cohortmember could change project_id: the row would belong to another node.",
    ),
    (
        "trigger",
        "CREATE TRIGGER broken AFTER INSERT ON analytics_event EXECUTE FUNCTION revise_accounts_user()",
        "The trigger broken of analytics_event would have to fire on other nodes: Citus refuses.",
    ),
    (
        "sequence",
        "ALTER TABLE cohorts_cohortmember ADD COLUMN broken bigint GENERATED BY DEFAULT AS IDENTITY",
        "The column broken of cohorts_cohortmember is numbered by a sequence, which every node would have to ask.",
    ),
    (
        "sequence",
        "ALTER TABLE cohorts_cohortmember ADD COLUMN broken bigserial",
        "The column broken of cohorts_cohortmember is numbered by a sequence, which every node would have to ask.",
    ),
    (
        "sequence",
        "ALTER TABLE cohorts_cohortmember ADD COLUMN broken bigint DEFAULT nextval('cohorts_cohort_id_seq')",
        "The column broken of cohorts_cohortmember is numbered by a sequence, which every node would have to ask.",
    ),
]
SOUND = [
    "CREATE UNIQUE INDEX fine ON analytics_distinctid (distinct_id, project_id)",
    "ALTER TABLE analytics_event ADD CONSTRAINT fine EXCLUDE USING btree (uuid WITH =, project_id WITH =)",
    (
        "ALTER TABLE cohorts_cohortmember ADD CONSTRAINT fine FOREIGN KEY (project_id, person_uuid)"
        " REFERENCES analytics_person ON DELETE CASCADE"
    ),
    "ALTER TABLE analytics_event ADD COLUMN fine text GENERATED ALWAYS AS (properties ->> 'fine') STORED",
    "ALTER TABLE analytics_person ADD COLUMN fine timestamptz DEFAULT now()",
    "ALTER TABLE analytics_person ADD COLUMN fine uuid DEFAULT gen_random_uuid()",
    "CREATE INDEX fine ON analytics_event (event)",
]


@pytest.mark.parametrize(("rule", "statement", "message"), BREAKS)
def test_a_broken_rule_is_reported_in_one_sentence(rule: str, statement: str, message: str):
    execute(statement)
    assert broken(plan()) == [message]


@pytest.mark.parametrize("statement", SOUND)
def test_what_only_looks_like_a_broken_rule_is_not(statement: str):
    execute(statement)
    assert broken(plan()) == []


@pytest.mark.parametrize(
    ("action", "is_fine"), [("", True), ("ON DELETE RESTRICT", True), ("ON DELETE CASCADE", False)]
)
def test_a_table_of_every_node_may_refer_to_the_coordinator_unless_that_changes_it(
    monkeypatch: pytest.MonkeyPatch, action: str, is_fine: bool
):
    execute(f"CREATE TABLE copied (a bigint CONSTRAINT broken REFERENCES accounts_user {action})")
    monkeypatch.setattr(distribution, "JOINED", ("copied",))
    sentence = (
        "The foreign key broken from copied to accounts_user, which is on the coordinator,"
        " would change the copies of copied elsewhere."
    )
    assert broken(plan()) == ([] if is_fine else [sentence])


def test_people_may_refer_to_a_table_of_every_node(monkeypatch: pytest.MonkeyPatch):
    execute(
        "CREATE TABLE copied (id bigint PRIMARY KEY)",
        f"{_FROM_MEMBERS} (cohort_id) REFERENCES copied (id)",
    )
    monkeypatch.setattr(distribution, "JOINED", ("copied",))
    assert broken(plan()) == []


def test_each_rule_is_broken_by_a_test():
    assert {rule for rule, _, _ in BREAKS} | {"key_from_copies"} == {rule.name for rule in RULES}
