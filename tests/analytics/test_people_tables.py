import pytest
from django.db import connection

pytestmark = pytest.mark.usefixtures("db")

TABLES = ["analytics_person", "analytics_distinctid", "analytics_event", "cohorts_cohortmember"]
every_table = pytest.mark.parametrize("table", TABLES)


def rows(sql: str, table: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"table": table})
        return cursor.fetchall()


@every_table
def test_the_primary_key_and_every_unique_index_begin_with_the_project(table: str):
    found = rows(
        """
        SELECT c.relname, i.indisprimary, a.attname
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = %(table)s::regclass AND (i.indisunique OR i.indisexclusion)
        """,
        table,
    )
    assert [first for _, is_primary, first in found if is_primary] == ["project_id"]
    assert {first for _, _, first in found} == {"project_id"}


@every_table
def test_every_other_index_begins_with_the_project(table: str):
    found = rows(
        """
        SELECT c.relname FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = %(table)s::regclass AND a.attname IS DISTINCT FROM 'project_id'
        """,
        table,
    )
    assert found == []


@every_table
def test_no_foreign_key_leads_in_or_out(table: str):
    found = rows(
        "SELECT conname FROM pg_constraint WHERE contype = 'f' AND %(table)s::regclass IN (conrelid, confrelid)", table
    )
    assert found == []


@every_table
def test_no_column_is_numbered_by_a_sequence(table: str):
    columns = rows(
        """
        SELECT a.attname FROM pg_attribute a
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = %(table)s::regclass AND a.attnum > 0
        AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE '%%nextval%%')
        """,
        table,
    )
    sequences = rows(
        """
        SELECT c.relname FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
        WHERE d.refobjid = %(table)s::regclass
        """,
        table,
    )
    assert columns == sequences == []


@every_table
def test_the_project_is_never_null(table: str):
    found = rows(
        """
        SELECT format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
        WHERE attrelid = %(table)s::regclass AND attname = 'project_id'
        """,
        table,
    )
    assert found == [("bigint", True)]


@every_table
def test_nothing_fires_when_a_row_is_written(table: str):
    assert rows("SELECT tgname FROM pg_trigger WHERE tgrelid = %(table)s::regclass", table) == []
