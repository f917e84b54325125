"""Revisions: the state of an organization's rows as one number, which shows without reading them if they changed.

Triggers add a random number with every statement that writes rows shown in responses (migrations 0002 and 0003). The
state is the exclusive or of all numbers of an organization and of those of no organization, which stand for users and
for TRUNCATE. The number is part of the writer's transaction, so it becomes visible together with the change. Writers
only add numbers, and merge only numbers that are not locked, so they never wait for each other.
"""

from typing import ClassVar, Final
from uuid import UUID

from django.db import connection, models

#: The id of changes that affect all organizations: users are shown in the responses of every organization that they
#: were in, and a TRUNCATE may remove rows of any organization.
EVERYWHERE: Final = UUID(int=0)
#: The triggers of a watched table, each ENABLE ALWAYS.
TRIGGERS: Final = ("revise_on_insert", "revise_on_update", "revise_on_delete", "revise_on_truncate")

_WATCHED: Final = """
SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE t.tgname = ANY(%s) AND t.tgenabled = 'A' AND NOT t.tgisinternal AND pg_table_is_visible(c.oid)
GROUP BY c.oid, c.relname HAVING count(*) = %s"""


def state_of(organization: str) -> str:
    """Return the SQL of an organization's state; `organization` is the SQL of its id."""
    return f"(SELECT bit_xor(number) FROM revisions_revision WHERE organization_id IN ({organization}, '{EVERYWHERE}'))"  # noqa: S608  # our own text


def watched_tables() -> frozenset[str]:
    """Return the names of the tables whose every change makes a new state, according to the catalog.

    They have all four triggers, for INSERT, UPDATE, DELETE and TRUNCATE, each enabled ALWAYS, so that no session
    bypasses it. Tables with a missing, a disabled or a differently enabled trigger are excluded.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WATCHED, [list(TRIGGERS), len(TRIGGERS)])
        return frozenset(name for (name,) in cursor.fetchall())


class Revision(models.Model):
    """One change, or several merged ones."""

    organization_id = models.UUIDField()
    number = models.BigIntegerField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["organization_id"], include=["number"], name="revisions_of_one")]
