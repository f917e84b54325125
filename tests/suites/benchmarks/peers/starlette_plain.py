"""Peer `f`: annotations as a performance-minded person would write them, Starlette, asyncpg and orjson.

Straightforward SQL, a query for each step: the key, the count, the page.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tests.suites.benchmarks.peers.asynchronous import (
    application,
    bounds,
    changed_annotation,
    check,
    digest,
    json_response,
    links,
    new_annotation,
    patterns,
)

ACCESS = """
SELECT k.scopes, k.scoped_teams, k.scoped_organizations, u.id AS user_id, p.id AS project_id, p.organization_id, m.level
FROM accounts_personalapikey k
JOIN accounts_user u ON u.id = k.user_id AND u.is_active
LEFT JOIN projects_project p ON p.id = $2
LEFT JOIN accounts_membership m ON m.organization_id = p.organization_id AND m.user_id = u.id
WHERE k.secure_value = $1
"""
# `@current`: the project that the user last looked at, else the first one of the current organization, which is the
# one last looked at, else the one joined first.
CURRENT_ACCESS = """
SELECT k.scopes, k.scoped_teams, k.scoped_organizations, u.id AS user_id, p.id AS project_id, p.organization_id, p.level
FROM accounts_personalapikey k
JOIN accounts_user u ON u.id = k.user_id AND u.is_active
LEFT JOIN LATERAL (
    SELECT p.id, p.organization_id, m.level
    FROM accounts_membership m JOIN projects_project p ON p.organization_id = m.organization_id
    WHERE m.user_id = u.id AND (p.id = u.current_project_id OR m.organization_id = (
        SELECT organization_id FROM accounts_membership WHERE user_id = u.id
        ORDER BY (organization_id = u.current_organization_id) IS TRUE DESC, joined_at, organization_id LIMIT 1))
    ORDER BY (p.id = u.current_project_id) IS TRUE DESC, p.id LIMIT 1
) p ON true
WHERE k.secure_value = $1
"""
_OWN = "FROM annotations_annotation WHERE project_id = $2 AND NOT deleted"
_SHARED = """
FROM annotations_annotation
WHERE organization_id = $1 AND scope = 'organization' AND project_id <> $2 AND NOT deleted
"""
ORDER = "ORDER BY date_marker DESC, id DESC"
_COLUMNS = """
a.id, a.content, a.date_marker, a.creation_type, a.dashboard_item_id, a.dashboard_id, a.created_at, a.updated_at,
a.deleted, a.scope, d.name AS dashboard_name, i.short_id AS insight_short_id, i.name AS insight_name,
i.derived_name AS insight_derived_name, u.id AS user_id, u.uuid::text AS user_uuid, u.distinct_id, u.first_name,
u.last_name, u.email, u.is_email_verified, u.hedgehog_config, u.role_at_organization
"""
_JOINS = """
LEFT JOIN analytics_dashboard d ON d.id = a.dashboard_id
LEFT JOIN analytics_insight i ON i.id = a.dashboard_item_id
LEFT JOIN accounts_user u ON u.id = a.created_by_id
"""
_VISIBLE = "(a.project_id = $2 OR a.scope = 'organization' AND a.organization_id = $1) AND NOT a.deleted"


def containing(words: int, first: int) -> str:
    """Return the condition that so many words are in the content, whose patterns are the values from `$first` on."""
    return "".join(f" AND content ILIKE ${first + i}" for i in range(words))


@lru_cache(16)
def _count(words: int) -> str:
    return f"SELECT count(*) FROM annotations_annotation a WHERE {_VISIBLE}{containing(words, 3)}"


@lru_cache(16)
def _page(words: int) -> str:
    # Own rows and shared ones apart, since each has an index in this order; by an OR the database would sort 10,000.
    found = containing(words, 5)
    return f"""
    WITH a AS (
        SELECT * FROM (
            (SELECT * {_OWN} {found} {ORDER} LIMIT $3::bigint + $4::bigint)
            UNION ALL (SELECT * {_SHARED} {found} {ORDER} LIMIT $3::bigint + $4::bigint)
        ) both_of_them {ORDER} LIMIT $3 OFFSET $4
    )
    SELECT {_COLUMNS} FROM a {_JOINS} ORDER BY a.date_marker DESC, a.id DESC
    """


_ONE = f"SELECT {_COLUMNS} FROM annotations_annotation a {_JOINS} WHERE a.id = $3 AND {_VISIBLE}"
_CREATE = f"""
WITH a AS (
    INSERT INTO annotations_annotation (organization_id, project_id, content, date_marker, creation_type,
        dashboard_item_id, dashboard_id, created_by_id, created_at, updated_at, deleted, scope)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now(), now(), $9, $10) RETURNING *
)
SELECT {_COLUMNS} FROM a {_JOINS}
"""
# Deleted rows are changed, too: so they are restored.
_UPDATE = f"""
WITH a AS (
    UPDATE annotations_annotation a SET {{assignments}}, updated_at = now()
    WHERE a.id = $3 AND (a.project_id = $2 OR a.scope = 'organization' AND a.organization_id = $1)
    RETURNING a.*, {{before}}
)
SELECT {_COLUMNS}, {{names}} FROM a {_JOINS}
"""
#: The columns of the fields of an annotation that are called otherwise.
_NAMED = {"dashboard_item": "dashboard_item_id"}
_LOG = """
INSERT INTO activity_activitylog
    (id, organization_id, project_id, user_id, scope, item_id, activity, detail, created_at)
VALUES (uuidv7(), $1, $2, $3, 'Annotation', $4, $5, $6, now())
"""


@lru_cache(128)
def _update(fields: tuple[str, ...]) -> str:
    """Return the statement that changes these fields and returns what they were, as `before_0` and so on."""
    columns = [_NAMED.get(name, name) for name in fields]
    return _UPDATE.format(
        assignments=", ".join(f"{column} = ${4 + i}" for i, column in enumerate(columns)),
        before=", ".join(f"old.{column} AS before_{i}" for i, column in enumerate(columns)),
        names=", ".join(f"a.before_{i}" for i in range(len(columns))),
    )


async def _access(connection: Any, request: Request, scope: str) -> Any:
    project = request.path_params.get("project_id")
    if project is None:
        row = await connection.fetchrow(CURRENT_ACCESS, digest(request))
    else:
        row = await connection.fetchrow(ACCESS, digest(request), project)
    check(row, scope)
    return row


def _as_json(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "content": row["content"],
        "date_marker": row["date_marker"],
        "creation_type": row["creation_type"],
        "dashboard_item": row["dashboard_item_id"],
        "dashboard_id": row["dashboard_id"],
        "dashboard_name": row["dashboard_name"],
        "insight_short_id": row["insight_short_id"],
        "insight_name": row["insight_name"],
        "insight_derived_name": row["insight_derived_name"],
        "created_by": None if row["user_id"] is None else _user(row),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "deleted": row["deleted"],
        "scope": row["scope"],
    }


def _user(row: Any) -> dict[str, Any]:
    config = orjson.loads(row["hedgehog_config"] or "null")
    return {
        "id": row["user_id"],
        "uuid": row["user_uuid"],
        "distinct_id": row["distinct_id"],
        "first_name": row["first_name"],
        "last_name": row["last_name"],
        "email": row["email"],
        "is_email_verified": row["is_email_verified"],
        "hedgehog_config": {name: config.get(name) for name in _HEDGEHOG} if config else None,
        "role_at_organization": row["role_at_organization"],
    }


_HEDGEHOG = ("use_as_profile", "color", "accessories", "skin")


def _dumped(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


async def _list(request: Request) -> Response:
    limit, offset = bounds(request)
    words = patterns(request)
    async with request.app.state.pool.acquire() as connection:
        access = await _access(connection, request, "annotation:read")
        scope = (access["organization_id"], access["project_id"])
        count = await connection.fetchval(_count(len(words)), *scope, *words)
        rows = await connection.fetch(_page(len(words)), *scope, limit, offset, *words)
    following, previous = links(request, count, limit, offset)
    results = [_as_json(row) for row in rows]
    return json_response(_dumped({"count": count, "next": following, "previous": previous, "results": results}))


async def _retrieve(request: Request) -> Response:
    async with request.app.state.pool.acquire() as connection:
        access = await _access(connection, request, "annotation:read")
        scope = (access["organization_id"], access["project_id"])
        row = await connection.fetchrow(_ONE, *scope, request.path_params["id"])
    if row is None:
        raise HTTPException(404, "Not found.")
    return json_response(_dumped(_as_json(row)))


async def _create(request: Request) -> Response:
    sent = new_annotation(await request.body())
    async with request.app.state.pool.acquire() as connection:
        access = await _access(connection, request, "annotation:write")
        organization, project, user = access["organization_id"], access["project_id"], access["user_id"]
        targets = (sent["dashboard_item"], sent["dashboard_id"])
        values = (organization, project, sent["content"], sent["date_marker"], sent["creation_type"], *targets, user)
        async with connection.transaction():
            row = await connection.fetchrow(_CREATE, *values, sent["deleted"], sent["scope"])
            await _log(connection, access, row, "created", None)
    return json_response(_dumped(_as_json(row)), 201)


async def _patch(request: Request) -> Response:
    sent = changed_annotation(await request.body())
    async with request.app.state.pool.acquire() as connection:
        access = await _access(connection, request, "annotation:write")
        place = (access["organization_id"], access["project_id"], request.path_params["id"])
        if not sent:
            row = await connection.fetchrow(_ONE, *place)
        else:
            async with connection.transaction():
                row = await connection.fetchrow(_update(tuple(sent)), *place, *sent.values())
                if row and (changes := _changes(row, sent)):
                    await _log(connection, access, row, "updated", changes)
    if row is None:
        raise HTTPException(404, "Not found.")
    return json_response(_dumped(_as_json(row)))


def _changes(row: Any, sent: dict[str, Any]) -> list[dict[str, Any]]:
    pairs = [(name, row[f"before_{i}"], after) for i, (name, after) in enumerate(sent.items())]
    return [
        {
            "type": "Annotation",
            "action": "created" if old is None else "deleted" if new is None else "changed",
            "field": name,
            "before": old,
            "after": new,
        }
        for name, old, new in pairs
        if old != new
    ]


async def _log(connection: Any, access: Any, row: Any, activity: str, changes: Sequence[Any] | None) -> None:
    detail = _dumped(_detail(row, changes)).decode()
    place = (access["organization_id"], access["project_id"], access["user_id"])
    await connection.execute(_LOG, *place, str(row["id"]), activity, detail)


def _detail(row: Any, changes: Sequence[Any] | None) -> dict[str, Any]:
    context = {
        "scope": row["scope"],
        "dashboard_id": row["dashboard_id"],
        "dashboard_name": row["dashboard_name"],
        "dashboard_item_id": row["dashboard_item_id"],
        "dashboard_item_short_id": row["insight_short_id"],
        "dashboard_item_name": row["insight_name"],
    }
    return {"changes": changes, "name": row["content"], "context": context}


app = application(
    {
        (method, f"/api/projects/{project}/annotations/{rest}"): handler
        for project in ("{project_id:int}", "@current")
        for method, rest, handler in (
            ("GET", "", _list),
            ("POST", "", _create),
            ("GET", "{id:int}/", _retrieve),
            ("PATCH", "{id:int}/", _patch),
        )
    }
)
