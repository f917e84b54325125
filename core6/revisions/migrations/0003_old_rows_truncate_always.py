"""Note also where an updated row was before, and TRUNCATE; and let no role of a session pass a trigger by.

What is found by a join may be gone already: the cohort of a calculation, for example. Then the row that is missing was
deleted or changed in this transaction, since foreign keys hold at its end, and its own trigger noted the organization.

ENABLE ALWAYS is for sessions with `session_replication_role = replica`. What it means elsewhere:

- `restore` and pg_restore make the triggers after all rows are there, and `reset` copies files: no trigger fires, and
  the numbers come back as they were. That is right: numbers and rows are of one snapshot, so a revision comes back with
  the very rows that it stood for, and a page that a server kept for it is true again. Whatever is written afterwards
  adds a random number, so it gives no revision that anybody saw with other rows. A copy of an earlier release, whose
  triggers missed some changes, gets a number for everywhere at the end of this migration.
- `pg_restore --data-only --disable-triggers` switches all triggers off, and on again without ALWAYS. Such a table is
  not in `watched_tables()` until each trigger is enabled by ALTER TABLE … ENABLE ALWAYS TRIGGER ….
- Logical replication copies the first rows by COPY, which fires them, with an empty search path: so the functions bring
  their own. The copy of revisions_revision arrives beside it, so numbers that such a session notes have negative ids,
  which no arriving row has, and it puts nothing together: rows that are deleted later where they come from would count
  twice. What is applied after the first copy fires no trigger of statements, however it is enabled. So
  revisions_revision has to be published together with the tables.
"""

from importlib import import_module

from django.db import migrations

before = import_module("core6.revisions.migrations.0002_triggers")

EVERYWHERE = "SELECT '00000000-0000-0000-0000-000000000000'::uuid AS organization_id"
MOVED = "WITH changed AS (SELECT * FROM old_rows UNION ALL SELECT * FROM new_rows) {organizations}"

FUNCTION = """
CREATE OR REPLACE FUNCTION revise_{name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF current_setting('session_replication_role') = 'replica' THEN
        INSERT INTO revisions_revision (id, organization_id, number)
        SELECT -1 - (random() * 9007199254740992)::bigint, organization_id, {number} FROM ({organizations}) AS found
        GROUP BY organization_id;
        RETURN NULL;
    END IF;
    INSERT INTO revisions_revision (organization_id, number)
    SELECT organization_id, {number} FROM ({organizations}) AS found GROUP BY organization_id;
    IF random() < 0.03 THEN
        WITH gone AS (
            DELETE FROM revisions_revision WHERE id = ANY(ARRAY(
                SELECT id FROM revisions_revision WHERE organization_id IN ({organizations}) FOR UPDATE SKIP LOCKED
            )) RETURNING organization_id, number
        )
        INSERT INTO revisions_revision (organization_id, number)
        SELECT organization_id, bit_xor(number) FROM gone GROUP BY organization_id;
    END IF;
    RETURN NULL;
END $$
"""
UPDATE = """
CREATE OR REPLACE TRIGGER revise_on_update AFTER UPDATE ON {table}
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION revise_moved_{table}()
"""
TRUNCATE = """
CREATE OR REPLACE TRIGGER revise_on_truncate AFTER TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION revise_everywhere()
"""

# All later writers wait behind who waits for a lock, so each wait is short, and they go on after it.
LOCK = """
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '1s', true);
    LOOP
        BEGIN
            LOCK TABLE {table} IN {mode} MODE;
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(1);
        END;
    END LOOP;
END $$
"""


def function(name: str, organizations: str) -> str:
    return FUNCTION.format(name=name, number=before.NUMBER, organizations=organizations)


def statements(table: str) -> list[str]:
    organizations = before.ORGANIZATIONS[table]
    return [
        LOCK.format(table=table, mode="SHARE ROW EXCLUSIVE"),
        function(table, organizations),
        function(f"moved_{table}", MOVED.format(organizations=organizations)),
        UPDATE.format(table=table),
        TRUNCATE.format(table=table),
        *(
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER revise_on_{event}"
            for event in ("insert", "update", "delete", "truncate")
        ),
    ]


def undo(table: str) -> list[str]:
    # To drop a trigger keeps readers away, too.
    function, _, update, _ = (text.replace("CREATE", "CREATE OR REPLACE", 1) for text in before.statements(table)[0])
    return [
        LOCK.format(table=table, mode="ACCESS EXCLUSIVE"),
        function,
        update,
        f"DROP TRIGGER IF EXISTS revise_on_truncate ON {table}",
        *(f"ALTER TABLE {table} ENABLE TRIGGER revise_on_{event}" for event in ("insert", "update", "delete")),
        f"DROP FUNCTION IF EXISTS revise_moved_{table}()",
    ]


class RunInOneTransaction(migrations.RunSQL):
    """At no moment is a table without its triggers, and no lock of it is kept while the next is waited for."""

    atomic = True


class Migration(migrations.Migration):
    # Each table alone. After an interruption it is run again, and what was done is done once more.
    atomic = False

    dependencies = [("revisions", "0002_triggers")]

    operations = [
        RunInOneTransaction(function("everywhere", EVERYWHERE), "DROP FUNCTION IF EXISTS revise_everywhere()"),
        *(RunInOneTransaction(statements(table), undo(table)) for table in before.ORGANIZATIONS),
        # What the triggers missed until now may be kept for the present revisions.
        RunInOneTransaction(
            "INSERT INTO revisions_revision (organization_id, number)"
            f" SELECT organization_id, {before.NUMBER} FROM ({EVERYWHERE}) AS found",
            migrations.RunSQL.noop,
        ),
    ]
