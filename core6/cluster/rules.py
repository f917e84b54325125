"""The requirements of Citus on distributed tables, as queries of the catalog.

Each query selects the violations of one rule, as the values of a message.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from core6.cluster.plan import COLUMN, Table


@dataclass(frozen=True)
class Rule:
    """One rule: its name, the message about a violation, and the query that selects violations."""

    name: str
    wrong: str
    offenders: str


#: The CTEs of the queries: the distributed tables `people` with the number of their distribution column, the reference
#: tables `copied`, and all foreign `keys`.
_CTES: Final = """
WITH people AS (
    SELECT t.oid, t.oid::regclass AS name, a.attnum AS project
    FROM unnest(%(people)s::regclass[]) t (oid)
    LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = %(column)s
), copied AS (
    SELECT oid FROM unnest(%(copied)s::regclass[]) t (oid)
), keys AS (
    SELECT conname, conrelid, confrelid, conrelid::regclass AS source, confrelid::regclass AS target,
        conkey, confkey, confdeltype, confupdtype
    FROM pg_constraint WHERE contype = 'f'
) """

RULES: Final = (
    Rule(
        "kind",
        "{0} is unlogged, has parts or belongs to another table: only an ordinary table can be distributed and moved.",
        "SELECT p.name FROM people p JOIN pg_class c ON c.oid = p.oid WHERE c.relkind <> 'r' OR c.relpersistence <> 'p'"
        " OR EXISTS (SELECT FROM pg_inherits i WHERE p.oid IN (i.inhrelid, i.inhparent))",
    ),
    Rule(
        "column",
        "{0} has no project_id of type bigint that is given and never null: by equal ones rows come to the same node.",
        "SELECT p.name FROM people p WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = p.oid"
        " AND a.attnum = p.project AND a.atttypid = 'bigint'::regtype AND a.attnotnull AND a.attgenerated = '')",
    ),
    Rule(
        "primary_key",
        "{0} has no primary key: its changes could not be passed on while a shard moves.",
        "SELECT p.name FROM people p WHERE NOT EXISTS (SELECT FROM pg_index WHERE indrelid = p.oid AND indisprimary)",
    ),
    Rule(
        "unique",
        "The unique index {1} of {0} does not hold project_id: each node could only look at its own rows.",
        "SELECT p.name, x.indexrelid::regclass FROM people p JOIN pg_index x ON x.indrelid = p.oid WHERE x.indisunique"
        " AND NOT coalesce(p.project = ANY((x.indkey::int2[])[0 : x.indnkeyatts - 1]), false)",
    ),
    Rule(
        "exclusion",
        "The exclusion {1} of {0} does not compare project_id by =: each node could only look at its own rows.",
        "SELECT p.name, c.conname FROM people p JOIN pg_constraint c ON c.conrelid = p.oid WHERE c.contype = 'x'"
        " AND NOT EXISTS (SELECT FROM unnest(c.conkey, c.conexclop) k (attnum, operator)"
        " JOIN pg_operator o ON o.oid = k.operator WHERE k.attnum = p.project AND o.oprname = '=')",
    ),
    Rule(
        "key_from_people",
        "The foreign key {1} leads from {0}, whose rows are on several nodes, to {2}, which is on the coordinator.",
        "SELECT source, conname, target FROM keys WHERE conrelid IN (SELECT oid FROM people)"
        " AND confrelid NOT IN (SELECT oid FROM people UNION ALL SELECT oid FROM copied)",
    ),
    Rule(
        "key_to_people",
        "The foreign key {1} leads from {0}, which is whole, to {2}, whose rows are on several nodes.",
        "SELECT source, conname, target FROM keys WHERE confrelid IN (SELECT oid FROM people)"
        " AND conrelid NOT IN (SELECT oid FROM people)",
    ),
    Rule(
        "key_between_people",
        "The foreign key {1} from {0} to {2} does not hold project_id at the same place on both sides.",
        "SELECT k.source, k.conname, k.target FROM keys k JOIN people p ON p.oid = k.conrelid"
        " JOIN people q ON q.oid = k.confrelid WHERE NOT EXISTS ("
        "SELECT FROM unnest(k.conkey, k.confkey) u (here, there) WHERE u.here = p.project AND u.there = q.project)",
    ),
    Rule(
        "key_changes_project",
        "The foreign key {1} of {0} could change project_id: the row would belong to another node.",
        "SELECT k.source, k.conname FROM keys k JOIN people p ON p.oid = k.conrelid WHERE p.project = ANY(k.conkey)"
        " AND (k.confdeltype IN ('n', 'd') OR k.confupdtype IN ('n', 'd', 'c'))",
    ),
    # Such a key is allowed since Citus 10, which then manages the other table.
    Rule(
        "key_from_copies",
        "The foreign key {1} from {0} to {2}, which is on the coordinator, would change the copies of {0} elsewhere.",
        "SELECT source, conname, target FROM keys WHERE conrelid IN (SELECT oid FROM copied)"
        " AND confrelid NOT IN (SELECT oid FROM people UNION ALL SELECT oid FROM copied)"
        " AND NOT (confdeltype IN ('a', 'r') AND confupdtype IN ('a', 'r'))",
    ),
    Rule(
        "trigger",
        "The trigger {1} of {0} would have to fire on other nodes: Citus refuses.",
        "SELECT p.name, t.tgname FROM people p JOIN pg_trigger t ON t.tgrelid = p.oid WHERE NOT t.tgisinternal",
    ),
    # Citus supports them, but then INSERT … SELECT runs on the coordinator, and undistribute_table refuses identities.
    Rule(
        "sequence",
        "The column {1} of {0} is numbered by a sequence, which every node would have to ask.",
        "SELECT p.name, a.attname FROM people p JOIN pg_attribute a ON a.attrelid = p.oid AND a.attnum > 0"
        " WHERE EXISTS (SELECT FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'"
        " WHERE d.classid = 'pg_class'::regclass AND d.refobjid = p.oid AND d.refobjsubid = a.attnum)"
        " OR EXISTS (SELECT FROM pg_attrdef e JOIN pg_depend d ON d.classid = e.tableoid AND d.objid = e.oid"
        " JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S' WHERE e.adrelid = p.oid AND e.adnum = a.attnum)",
    ),
)


def broken(tables: Iterable[Table]) -> list[str]:
    """Return a message for each violation of a rule; empty if all tables are suitable."""
    names: dict[str, list[str]] = {"distributed": [], "reference": [], "coordinator": []}
    for table in tables:
        names[table.place].append(table.name)
    about: dict[str, Any] = {"people": names["distributed"], "copied": names["reference"], "column": COLUMN}
    found: list[str] = []
    with connection.cursor() as cursor:
        for rule in RULES:
            cursor.execute(_CTES + rule.offenders, about)
            found += sorted(rule.wrong.format(*row) for row in cursor.fetchall())
    return found
