"""Whether anything changed in an organization: the state of its rows as one number, without a look at the rows.

Triggers add a random number with every statement that writes rows which answers show (migration 0002); the state is all
numbers of an organization by exclusive or, together with those of no organization, which stand for users. It is part
of the writer's transaction, so it is never seen without the change, nor the change without it. Writers only add, and
put numbers together that nobody holds, so none waits for another.
"""

from typing import ClassVar, Final
from uuid import UUID

from django.db import models

#: Whose changes count everywhere: users show in the answers of every organization that they were in.
EVERYWHERE: Final = UUID(int=0)


def state_of(organization: str) -> str:
    """Return the SQL of an organization's state; `organization` is the SQL of its id."""
    return f"(SELECT bit_xor(number) FROM revisions_revision WHERE organization_id IN ({organization}, '{EVERYWHERE}'))"  # noqa: S608  # our own text


class Revision(models.Model):
    """One change, or several put together."""

    organization_id = models.UUIDField()
    number = models.BigIntegerField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["organization_id"], include=["number"], name="revisions_of_one")]
