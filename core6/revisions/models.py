"""Whether anything changed in an organization: the state of its rows as one number, without a look at the rows.

Triggers add a random number with every statement that writes rows which answers show (migrations 0002 and 0003); the
state is all numbers of an organization by exclusive or, together with those of no organization, which stand for users
and for TRUNCATE. It is part of the writer's transaction, so it is never seen without the change, nor the change without
it. Writers only add, and put numbers together that nobody holds, so none waits for another.
"""

from typing import ClassVar, Final
from uuid import UUID

from django.db import connection, models

#: Whose changes count everywhere: users show in the answers of every organization that they were in, and nobody knows
#: whose rows a TRUNCATE removed.
EVERYWHERE: Final = UUID(int=0)
#: The triggers that a table has to have, each ENABLE ALWAYS.
TRIGGERS: Final = ("revise_on_insert", "revise_on_update", "revise_on_delete", "revise_on_truncate")

_WATCHED: Final = """
SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE t.tgname = ANY(%s) AND t.tgenabled = 'A' AND NOT t.tgisinternal AND pg_table_is_visible(c.oid)
GROUP BY c.oid, c.relname HAVING count(*) = %s"""


def state_of(organization: str) -> str:
    """Return the SQL of an organization's state; `organization` is the SQL of its id."""
    return f"(SELECT bit_xor(number) FROM revisions_revision WHERE organization_id IN ({organization}, '{EVERYWHERE}'))"  # noqa: S608  # our own text


def watched_tables() -> frozenset[str]:
    """Return the names of the tables whose every change gives a new state, by the catalog as it is now.

    They have all four triggers, for INSERT, UPDATE, DELETE and TRUNCATE, and no session passes one by: each is
    enabled ALWAYS. A table one of whose triggers is missing, disabled or enabled otherwise is not among them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WATCHED, [list(TRIGGERS), len(TRIGGERS)])
        return frozenset(name for (name,) in cursor.fetchall())


class Revision(models.Model):
    """One change, or several put together."""

    organization_id = models.UUIDField()
    number = models.BigIntegerField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["organization_id"], include=["number"], name="revisions_of_one")]
