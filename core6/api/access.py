"""Who calls where: one statement finds the facts before anything else is read, and Python judges them (D48).

The authentication class asks, for every method; the permission and the viewset judge. Nowhere else is anybody let in or
kept out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Model

from core6.accounts.models import Membership, Organization, PersonalAPIKey, User

M = TypeVar("M", bound=Model)
#: A project is known here by its table alone: projects stand above the API.
_STATEMENT: Final = """
SELECT {columns}, p.id, m.level
FROM {key} k
JOIN {user} u ON u.id = k.user_id AND u.is_active
LEFT JOIN projects_project p ON p.id = %(project)s
LEFT JOIN {organization} o ON o.id = coalesce(p.organization_id, %(organization)s)
LEFT JOIN {membership} m ON m.user_id = u.id AND m.organization_id = o.id
WHERE k.secure_value = %(key)s"""


@dataclass(frozen=True)
class Access:
    """A valid key with its user, and what the path names by its id; None where that is not there.

    `level` is the user's in the organization, None where the user is no member.
    """

    key: PersonalAPIKey
    organization: Organization | None
    project_id: int | None
    level: int | None


def find(digest: str, *, organization_id: UUID | None = None, project_id: int | None = None) -> Access | None:
    """Return the facts of a key, by its digest, and of at most one tenant; None for a key that opens nothing."""
    with connection.cursor() as cursor:
        cursor.execute(_statement(), {"key": digest, "organization": organization_id, "project": project_id})
        row = cursor.fetchone()
    if row is None:
        return None
    values = iter(row)
    key = _object(PersonalAPIKey, values)
    key.user = _object(User, values)
    organization = _object(Organization, values)
    project, level = values
    return Access(key, organization if organization.pk else None, project, level)


@cache
def _statement() -> str:
    columns = [
        f'{alias}."{field.column}"'
        for alias, model in (("k", PersonalAPIKey), ("u", User), ("o", Organization))
        for field in model._meta.concrete_fields
    ]
    models = {"key": PersonalAPIKey, "user": User, "organization": Organization, "membership": Membership}
    tables = {name: model._meta.db_table for name, model in models.items()}
    return _STATEMENT.format(columns=", ".join(columns), **tables)


def _object(model: type[M], values: Iterator[Any]) -> M:
    """Return an object of the next columns of a row."""
    fields: Sequence[Any] = model._meta.concrete_fields
    read = [
        field.from_db_value(value, None, connection) if hasattr(field, "from_db_value") else value
        for field, value in zip(fields, values, strict=False)
    ]
    return model.from_db(connection.alias, [field.attname for field in fields], read)
