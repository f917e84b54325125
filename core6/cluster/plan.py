"""The placement of tables in a Citus cluster: distributed by project, or on the coordinator, with the reasons.

The plan is made from the catalog; core6.cluster.rules checks that the tables are suitable for it.
"""

from dataclasses import dataclass
from typing import Final, Literal

from django.core.management import CommandError
from django.db import connection
from psycopg.sql import SQL
from psycopg.sql import Literal as Value

from core6.database.cluster import nodes
from core6.terminal import program

#: The others are colocated with the first: all rows of a project are on one node.
#: Requests join the first three, and are slow between the distribution of the first and of the third, so the largest of
#: them comes first. Only calculations read events, and these wait meanwhile.
PEOPLE: Final = (
    *("analytics_person", "analytics_distinctid", "cohorts_cohortmember", "analytics_personoverride"),
    "analytics_event",
)
COLUMN: Final = "project_id"
#: The small tables that a statement joins with persons: only `verify` does, over all projects.
JOINED: Final = ("projects_project", "cohorts_cohort", "procrastinate_jobs")

Place = Literal["distributed", "reference", "coordinator"]

_TABLES: Final = """
SELECT c.relname, EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND pg_table_is_visible(c.oid)
AND n.nspname NOT IN ('pg_catalog', 'information_schema')
AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"""

# Other tables in pg_dist_partition are on the coordinator: Citus manages them since reference tables refer to them.
_PLACED: Final = """
SELECT c.relname, CASE p.partmethod WHEN 'h' THEN 'distributed' ELSE 'reference' END
FROM pg_dist_partition p JOIN pg_class c ON c.oid = p.logicalrelid
WHERE p.partmethod = 'h' OR p.partmethod = 'n' AND p.repmodel = 't'"""

_LEFT_BEHIND: Final = "SELECT pg_relation_size(%s::regclass) > 0"


@dataclass(frozen=True)
class Table:
    """The placement of a table, and the reason."""

    name: str
    place: Place
    reason: str

    @property
    def statement(self) -> str:
        """The statement that moves it there; empty for the coordinator, where it already is."""
        if self.place == "distributed":
            beside = "none" if self.name == PEOPLE[0] else PEOPLE[0]
            text = SQL("SELECT create_distributed_table({}, {}, colocate_with => {})")
            return text.format(Value(self.name), Value(COLUMN), Value(beside)).as_string(None)
        if self.place == "reference":
            return SQL("SELECT create_reference_table({})").format(Value(self.name)).as_string(None)
        return ""

    @property
    def clearing(self) -> str:
        """The statement that removes the rows from the coordinator after they were copied to other nodes."""
        text = SQL("SELECT truncate_local_data_after_distributing_table({})")
        return text.format(Value(self.name)).as_string(None)


def plan() -> list[Table]:
    """Return every table of the database, in the order in which they are moved.

    Reference tables come before the tables that may refer to them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        tables = [_decided(name, has_triggers=has_triggers) for name, has_triggers in cursor.fetchall()]
    order = {name: number for number, name in enumerate((*JOINED, *PEOPLE), start=1)}
    return sorted(tables, key=lambda table: (table.place == "coordinator", order.get(table.name, 0), table.name))


def _decided(name: str, *, has_triggers: bool) -> Table:
    if name in PEOPLE:
        return Table(name, "distributed", "each row is of one project, and every request names it")
    if name not in JOINED:
        # A reference table is written on all nodes each time, and Citus would also manage the tables it refers to.
        return Table(name, "coordinator", "no statement puts them together with people")
    if has_triggers:
        # Citus refuses triggers, or with citus.enable_unsafe_triggers fires them on nodes without their target tables.
        return Table(name, "coordinator", "their triggers write to tables that are only here")
    return Table(name, "reference", "statements put it together with people on every node")


def refuse_cluster(purpose: str) -> None:
    """Refuse the coordinator of a cluster, for a command that only supports a single database; raises CommandError."""
    if nodes():
        raise CommandError(
            f"this database is the coordinator of a cluster, and {purpose} is not for a cluster: bring the people back"
            " to it and remove the workers first ('The way back' in core6/docs/scale.md), or use a database of its own"
        )


def refuse_first_migration() -> None:
    """Refuse to create the tables of a coordinator that already has workers; raises CommandError.

    The first command of procrastinate's migration is CREATE EXTENSION plpgsql: Citus forwards it to the workers, where
    an ordinary role may not run it.
    """
    found = nodes()
    if found and "procrastinate_jobs" not in connection.introspection.table_names():
        (name, port) = found[0]
        raise CommandError(
            "the cluster has workers already, and the tables have to be made before they are added: run"
            f" SELECT citus_remove_node('{name}', {port}) for each, then `{program.NAME} migrate`, and add them again"
        )


def placed() -> dict[str, Place]:
    """Return the placement of the tables that are on other nodes, too."""
    with connection.cursor() as cursor:
        cursor.execute(_PLACED)
        return dict(cursor.fetchall())


def is_left_behind(table: Table) -> bool:
    """Return whether the coordinator still stores invisible rows of the table that were moved to other nodes."""
    with connection.cursor() as cursor:
        cursor.execute(_LEFT_BEHIND, [table.name])
        return bool(cursor.fetchone()[0])
