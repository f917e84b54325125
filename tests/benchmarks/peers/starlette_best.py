"""Peer `f-best`: `f` with the best SQL we know, a statement for everything, its rows made JSON by Postgres.

It tells what the framework costs. The page comes first and is joined then; each table is asked in its index's order.
"""

from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tests.benchmarks.peers.asynchronous import application, bounds, check, digest, json_response, links
from tests.benchmarks.peers.starlette_plain import ACCESS, ORDER, OWN


def _time(column: str) -> str:
    """Return the SQL of a time as REST framework writes it: six digits of the second's parts, or none."""
    whole, parts = 'YYYY-MM-DD"T"HH24:MI:SS"Z"', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    return (
        f"to_char({column} AT TIME ZONE 'UTC',"
        f" CASE WHEN date_trunc('second', {column}) = {column} THEN '{whole}' ELSE '{parts}' END)"
    )


_ACCESS = f"access AS MATERIALIZED ({ACCESS})"
# Each author once, however many of the rows are theirs.
_AUTHORS = """
authors AS MATERIALIZED (
    SELECT u.id, row_to_json(made) AS author FROM accounts_user u, LATERAL (SELECT u.id, u.uuid, u.distinct_id,
        u.first_name, u.last_name, u.email, u.is_email_verified,
        CASE WHEN jsonb_typeof(u.hedgehog_config) = 'object' AND u.hedgehog_config <> '{}' THEN (
            SELECT json_object_agg(name, u.hedgehog_config -> name)
            FROM unnest(array['use_as_profile', 'color', 'accessories', 'skin']) name
        ) END AS hedgehog_config, u.role_at_organization) made
    WHERE u.id = ANY (ARRAY(SELECT created_by_id FROM page))
)
"""
_ROW = f"""
SELECT a.id, a.content, {_time("a.date_marker")} AS date_marker, a.creation_type,
    a.dashboard_item_id AS dashboard_item, a.dashboard_id, d.name AS dashboard_name, i.short_id AS insight_short_id,
    i.name AS insight_name, i.derived_name AS insight_derived_name, u.author AS created_by,
    {_time("a.created_at")} AS created_at, {_time("a.updated_at")} AS updated_at, a.deleted, a.scope
"""
_JOINS = """
LEFT JOIN analytics_dashboard d ON d.id = a.dashboard_id
LEFT JOIN analytics_insight i ON i.id = a.dashboard_item_id
LEFT JOIN authors u ON u.id = a.created_by_id
"""
_SHARED = """
FROM annotations_annotation WHERE organization_id = (SELECT organization_id FROM access)
    AND scope = 'organization' AND project_id <> $2 AND NOT deleted
"""
_LIST = f"""
WITH {_ACCESS}, page AS MATERIALIZED (
    SELECT * FROM (
        (SELECT * {OWN} {ORDER} LIMIT $3::bigint + $4::bigint)
        UNION ALL (SELECT * {_SHARED} {ORDER} LIMIT $3::bigint + $4::bigint)
    ) both_of_them {ORDER} LIMIT $3 OFFSET $4
), {_AUTHORS}
SELECT access.*, (SELECT count(*) {OWN}) + (SELECT count(*) {_SHARED}) AS count,
    (SELECT string_agg(row_to_json(made)::text, ',' ORDER BY a.date_marker DESC, a.id DESC)
        FROM page a {_JOINS}, LATERAL ({_ROW}) made) AS rows
FROM access WHERE access.level >= 1
"""
_ONE = f"""
WITH {_ACCESS}, page AS MATERIALIZED (
    SELECT * FROM annotations_annotation a WHERE a.id = $3 AND NOT a.deleted AND (
        a.project_id = $2 OR a.scope = 'organization' AND a.organization_id = (SELECT organization_id FROM access))
), {_AUTHORS}
SELECT access.*, (SELECT row_to_json(made)::text FROM page a {_JOINS}, LATERAL ({_ROW}) made) AS made
FROM access WHERE access.level >= 1
"""


async def _ask(request: Request, statement: str, *more: int) -> Any:
    """Run a statement that begins with the access; refuse what it does not allow."""
    project = request.path_params["project_id"]
    key = digest(request)
    pool = request.app.state.pool
    row = await pool.fetchrow(statement, key, project, *more)
    # Without a row the reason is not known: it is looked up, rarely.
    check(row or await pool.fetchrow(ACCESS, key, project), project, "annotation:read")
    return row


async def _list(request: Request) -> Response:
    limit, offset = bounds(request)
    row = await _ask(request, _LIST, limit, offset)
    following, previous = links(request, row["count"], limit, offset)
    told = orjson.dumps({"count": row["count"], "next": following, "previous": previous})
    return json_response(b'%s,"results":[%s]}' % (told[:-1], (row["rows"] or "").encode()))


async def _retrieve(request: Request) -> Response:
    row = await _ask(request, _ONE, request.path_params["id"])
    if row["made"] is None:
        raise HTTPException(404, "Not found.")
    return json_response(row["made"].encode())


app = application(
    {
        ("GET", "/api/projects/{project_id:int}/annotations/"): _list,
        ("GET", "/api/projects/{project_id:int}/annotations/{id:int}/"): _retrieve,
    },
    plan_cache_mode="force_generic_plan",
    jit="off",
)
