"""How the tables lie in a Citus cluster: what is distributed by project, what stays on the coordinator, and why.

The plan is read from the catalog; that the tables are fit for it is asked by `distribution_rules`.
"""

from dataclasses import dataclass
from typing import Final, Literal

from django.core.management import CommandError
from django.db import connection
from psycopg.sql import SQL
from psycopg.sql import Literal as Value

from core6.database.cluster import nodes

#: Beside the first the others lie: the rows of one project are on one node, in whatever table.
#: Requests put the first three together: they are slow from the end of the first to the end of the third, so the
#: largest of them comes first. Only calculations read events, and these wait.
PEOPLE: Final = ("analytics_person", "analytics_distinctid", "cohorts_cohortmember", "analytics_event")
COLUMN: Final = "project_id"
#: The small tables that a statement puts together with people: only `verify` does, over all projects.
JOINED: Final = ("projects_project", "cohorts_cohort", "procrastinate_jobs")

Place = Literal["distributed", "reference", "coordinator"]

_TABLES: Final = """
SELECT c.relname, EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND pg_table_is_visible(c.oid)
AND n.nspname NOT IN ('pg_catalog', 'information_schema')
AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"""

# Others that it knows of are on the coordinator, in its care since a table on every node refers to them.
_PLACED: Final = """
SELECT c.relname, CASE p.partmethod WHEN 'h' THEN 'distributed' ELSE 'reference' END
FROM pg_dist_partition p JOIN pg_class c ON c.oid = p.logicalrelid
WHERE p.partmethod = 'h' OR p.partmethod = 'n' AND p.repmodel = 't'"""

_LEFT_BEHIND: Final = "SELECT pg_relation_size(%s::regclass) > 0"


@dataclass(frozen=True)
class Table:
    """Where a table belongs, and the reason."""

    name: str
    place: Place
    reason: str

    @property
    def statement(self) -> str:
        """Return what puts it there; for the coordinator, where it is, nothing."""
        if self.place == "distributed":
            beside = "none" if self.name == PEOPLE[0] else PEOPLE[0]
            text = SQL("SELECT create_distributed_table({}, {}, colocate_with => {})")
            return text.format(Value(self.name), Value(COLUMN), Value(beside)).as_string(None)
        if self.place == "reference":
            return SQL("SELECT create_reference_table({})").format(Value(self.name)).as_string(None)
        return ""

    @property
    def clearing(self) -> str:
        """Return what removes the rows that were copied to other nodes from where they came from."""
        text = SQL("SELECT truncate_local_data_after_distributing_table({})")
        return text.format(Value(self.name)).as_string(None)


def plan() -> list[Table]:
    """Return every table of the database, in the order in which they are put in their places.

    What is on every node comes before what may refer to it.
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
        # A table on every node would be written there, too, each time, and draw those it refers to into the cluster.
        return Table(name, "coordinator", "no statement puts them together with people")
    if has_triggers:
        # Citus refuses, or with citus.enable_unsafe_triggers fires them on each node, away from what they write.
        return Table(name, "coordinator", "their triggers write to tables that are only here")
    return Table(name, "reference", "statements put it together with people on every node")


def refuse_cluster(purpose: str) -> None:
    """Refuse the coordinator of a cluster, for a command that knows one database alone; raises CommandError."""
    if nodes():
        raise CommandError(
            f"this database is the coordinator of a cluster, and {purpose} is not for a cluster: bring the people back"
            " to it and remove the workers first ('The way back' in core6/docs/scale.md), or use a database of its own"
        )


def refuse_first_migration() -> None:
    """Refuse to make the tables of a coordinator that has workers already; raises CommandError.

    Citus passes the first command of the queue's migration, CREATE EXTENSION plpgsql, on to the workers, which do not
    let an ordinary role run it.
    """
    found = nodes()
    if found and "procrastinate_jobs" not in connection.introspection.table_names():
        (name, port) = found[0]
        raise CommandError(
            "the cluster has workers already, and the tables have to be made before they are added: run"
            f" SELECT citus_remove_node('{name}', {port}) for each, then `manage.py migrate`, and add them again"
        )


def placed() -> dict[str, Place]:
    """Return where the tables are that are on other nodes, too."""
    with connection.cursor() as cursor:
        cursor.execute(_PLACED)
        return dict(cursor.fetchall())


def is_left_behind(table: Table) -> bool:
    """Tell whether rows that are on other nodes by now still take room on the coordinator, where nobody sees them."""
    with connection.cursor() as cursor:
        cursor.execute(_LEFT_BEHIND, [table.name])
        return bool(cursor.fetchone()[0])
