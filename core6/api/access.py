"""The caller and the tenant of a request: one statement reads all facts first, then Python decides on them (D48).

The authentication class reads them, for every method; only the permission and the viewset decide about access.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from django.db import connection

from core6.accounts.models import Membership, Organization, PersonalAPIKey, User
from core6.api.ids import CURRENT, number, parse_uuid
from core6.database.prepared import from_row
from core6.revisions.models import state_of

_STATEMENT: Final = """
SELECT {columns}, {project}, m.level, {revision}
FROM {key} k
JOIN {user} u ON u.id = k.user_id AND u.is_active
{tenant}
LEFT JOIN {membership} m ON m.user_id = u.id AND m.organization_id = o.id
WHERE k.secure_value = %(key)s"""
#: The organization that the user viewed last, else the first one joined.
_CURRENT_ORGANIZATION: Final = """
SELECT x.organization_id FROM {membership} x WHERE x.user_id = u.id
ORDER BY x.organization_id IS DISTINCT FROM u.current_organization_id, x.joined_at, x.organization_id LIMIT 1"""
#: The project that the user viewed last and may still see, else the first one of the current organization.
_CURRENT_PROJECT: Final = """
SELECT y.id, y.organization_id FROM projects_project y
JOIN {membership} z ON z.organization_id = y.organization_id AND z.user_id = u.id
WHERE y.id = u.current_project_id OR y.organization_id = ({current})
ORDER BY y.id IS DISTINCT FROM u.current_project_id, y.id LIMIT 1"""
#: By kind of path: the joins of its organization `o` and its project `p`.
_TENANTS: Final = {
    "nothing": "LEFT JOIN {organization} o ON false",
    "organization": "LEFT JOIN {organization} o ON o.id = %(id)s",
    "current organization": "LEFT JOIN {organization} o ON o.id = ({current})",
    # Only the table of projects is known here, since the package `projects` depends on this one.
    "project": "LEFT JOIN projects_project p ON p.id = %(id)s LEFT JOIN {organization} o ON o.id = p.organization_id",
    "current project": (
        "LEFT JOIN LATERAL ({current_project}) p ON true LEFT JOIN {organization} o ON o.id = p.organization_id"
    ),
}


@dataclass(frozen=True)
class Access:
    """A valid key with its user, and the tenant of the path, whose fields are None if it does not exist.

    `level` is the user's in the organization, None if the user is not a member. `revision` is the state of the
    organization (core6.revisions); rows that are read later are of this state or a later one.
    """

    key: PersonalAPIKey
    organization: Organization | None = None
    project_id: int | None = None
    level: int | None = None
    revision: int | None = None


def find(digest: str, *, organization: str | None = None, project: str | None = None) -> Access | None:
    """Return the facts of a key, by its digest, and of at most one tenant; None if the key is invalid.

    `organization` or `project` is the segment of the path: an id or `@current`; no tenant has any other segment.
    """
    kind, tenant_id = _tenant(organization, project)
    with connection.cursor() as cursor:
        cursor.execute(_statement(kind), {"key": digest} | ({} if tenant_id is None else {"id": tenant_id}))
        row = cursor.fetchone()
    if row is None:
        return None
    values = iter(row)
    key = from_row(PersonalAPIKey, values)
    key.user = from_row(User, values)
    found = from_row(Organization, values)
    return Access(key, found if found.pk else None, *values)


def _tenant(organization: str | None, project: str | None) -> tuple[str, Any]:
    """Return the kind of statement that finds the tenant, and its id parameter."""
    if CURRENT in (organization, project):
        return ("current organization" if project is None else "current project"), None
    tenant_id = parse_uuid(organization or "") if project is None else number(project)
    return ("nothing" if tenant_id is None else "organization" if project is None else "project"), tenant_id


@cache
def _statement(kind: str) -> str:
    columns = [
        f'{alias}."{field.column}"'
        for alias, model in (("k", PersonalAPIKey), ("u", User), ("o", Organization))
        for field in model._meta.concrete_fields
    ]
    models = {"key": PersonalAPIKey, "user": User, "organization": Organization, "membership": Membership}
    names = {name: model._meta.db_table for name, model in models.items()}
    names["current"] = _CURRENT_ORGANIZATION.format(**names)
    names["current_project"] = _CURRENT_PROJECT.format(**names)
    return _STATEMENT.format(
        columns=", ".join(columns),
        project="p.id" if "project" in kind else "NULL::bigint",
        revision=state_of("o.id"),
        tenant=_TENANTS[kind].format(**names),
        **names,
    )
