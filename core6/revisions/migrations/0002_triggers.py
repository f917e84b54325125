"""Note every change of rows that answers show: a statement-level trigger on each of their tables."""

from django.db import migrations

OF_PROJECT = "SELECT p.organization_id FROM changed c JOIN projects_project p ON p.id = c.project_id"
ORGANIZATIONS = {
    "accounts_user": "SELECT '00000000-0000-0000-0000-000000000000'::uuid AS organization_id FROM changed",
    "accounts_organization": "SELECT id AS organization_id FROM changed",
    "accounts_membership": "SELECT organization_id FROM changed",
    "projects_project": "SELECT organization_id FROM changed",
    "projects_productintent": OF_PROJECT,
    "analytics_dashboard": OF_PROJECT,
    "analytics_insight": OF_PROJECT,
    "analytics_grouptype": OF_PROJECT,
    "analytics_experiment": OF_PROJECT,
    "annotations_annotation": "SELECT organization_id FROM changed",
    "roles_role": "SELECT organization_id FROM changed",
    "roles_rolemembership": "SELECT r.organization_id FROM changed c JOIN roles_role r ON r.id = c.role_id",
    "cohorts_cohort": OF_PROJECT,
    "cohorts_calculation": (
        "SELECT p.organization_id FROM changed c JOIN cohorts_cohort o ON o.id = c.cohort_id"
        " JOIN projects_project p ON p.id = o.project_id"
    ),
}

NUMBER = "(random() * 9007199254740992)::bigint # ((random() * 1023)::bigint << 53)"

# Now and then the numbers of an organization become one; those that another transaction puts together are left to it.
FUNCTION = """
CREATE FUNCTION revise_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
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
TRIGGER = """
CREATE TRIGGER revise_on_{event} AFTER {event} ON {table} REFERENCING {rows} TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION revise_{table}()
"""
EVENTS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}


def statements(table: str) -> tuple[list[str], list[str]]:
    function = FUNCTION.format(table=table, number=NUMBER, organizations=ORGANIZATIONS[table])
    triggers = [TRIGGER.format(event=event, rows=rows, table=table) for event, rows in EVENTS.items()]
    undo = [f"DROP TRIGGER revise_on_{event} ON {table}" for event in EVENTS]
    return [function, *triggers], [*undo, f"DROP FUNCTION revise_{table}()"]


class Migration(migrations.Migration):
    dependencies = [
        ("revisions", "0001_initial"),
        ("accounts", "0003_organization_default_role"),
        ("analytics", "0005_experiments"),
        ("projects", "0003_product_intents"),
        ("roles", "0001_initial"),
        ("annotations", "0001_initial"),
        ("cohorts", "0001_initial"),
    ]

    operations = [migrations.RunSQL(*statements(table)) for table in ORGANIZATIONS]
