"""Peer `f-best`: `f` with the best SQL we know, a statement for everything, its rows made JSON by Postgres.

It shows what the framework costs. The page comes first and is joined then; each table is read in its index's order.
"""

from functools import lru_cache
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tests.suites.benchmarks.peers.asynchronous import (
    application,
    bounds,
    check,
    digest,
    json_response,
    links,
    patterns,
)
from tests.suites.benchmarks.peers.starlette_plain import ACCESS, CURRENT_ACCESS, ORDER, containing


def _time(column: str) -> str:
    """Return the SQL of a time as REST framework writes it: six digits of the second's parts, or none."""
    whole, parts = 'YYYY-MM-DD"T"HH24:MI:SS"Z"', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    return (
        f"to_char({column} AT TIME ZONE 'UTC',"
        f" CASE WHEN date_trunc('second', {column}) = {column} THEN '{whole}' ELSE '{parts}' END)"
    )


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
_ONE = f"""
WITH access AS MATERIALIZED ({ACCESS}), page AS MATERIALIZED (
    SELECT * FROM annotations_annotation a WHERE a.id = $3 AND NOT a.deleted AND (
        a.project_id = $2 OR a.scope = 'organization' AND a.organization_id = (SELECT organization_id FROM access))
), {_AUTHORS}
SELECT access.*, (SELECT row_to_json(made)::text FROM page a {_JOINS}, LATERAL ({_ROW}) made) AS made
FROM access WHERE access.level >= 1
"""


@lru_cache(32)
def _page(words: int, is_current: bool) -> str:
    """Return the statement of a list, whose values are those of the access, limit, offset, and patterns of words."""
    access, first, project = (CURRENT_ACCESS, 2, "(SELECT project_id FROM access)") if is_current else (ACCESS, 3, "$2")
    limit, offset, found = f"${first}", f"${first + 1}", containing(words, first + 2)
    own = f"FROM annotations_annotation WHERE project_id = {project} AND NOT deleted{found}"
    shared = f"""
    FROM annotations_annotation WHERE organization_id = (SELECT organization_id FROM access)
        AND scope = 'organization' AND project_id <> {project} AND NOT deleted{found}
    """
    return f"""
    WITH access AS MATERIALIZED ({access}), page AS MATERIALIZED (
        SELECT * FROM (
            (SELECT * {own} {ORDER} LIMIT {limit}::bigint + {offset}::bigint)
            UNION ALL (SELECT * {shared} {ORDER} LIMIT {limit}::bigint + {offset}::bigint)
        ) both_of_them {ORDER} LIMIT {limit} OFFSET {offset}
    ), {_AUTHORS}
    SELECT access.*, (SELECT count(*) {own}) + (SELECT count(*) {shared}) AS count,
        (SELECT string_agg(row_to_json(made)::text, ',' ORDER BY a.date_marker DESC, a.id DESC)
            FROM page a {_JOINS}, LATERAL ({_ROW}) made) AS rows
    FROM access WHERE access.level >= 1
    """


async def _ask(request: Request, statement: str, *more: int | str) -> Any:
    """Run a statement that begins with the access; refuse what it does not allow."""
    project = request.path_params.get("project_id")
    access, named = (CURRENT_ACCESS, (digest(request),)) if project is None else (ACCESS, (digest(request), project))
    pool = request.app.state.pool
    row = await pool.fetchrow(statement, *named, *more)
    # Without a row the reason is not known: it is looked up, rarely.
    check(row or await pool.fetchrow(access, *named), "annotation:read")
    return row


async def _list(request: Request) -> Response:
    limit, offset = bounds(request)
    words = patterns(request)
    statement = _page(len(words), "project_id" not in request.path_params)
    row = await _ask(request, statement, limit, offset, *words)
    following, previous = links(request, row["count"], limit, offset)
    envelope = orjson.dumps({"count": row["count"], "next": following, "previous": previous})
    return json_response(b'%s,"results":[%s]}' % (envelope[:-1], (row["rows"] or "").encode()))


async def _retrieve(request: Request) -> Response:
    row = await _ask(request, _ONE, request.path_params["id"])
    if row["made"] is None:
        raise HTTPException(404, "Not found.")
    return json_response(row["made"].encode())


app = application(
    {
        ("GET", "/api/projects/{project_id:int}/annotations/"): _list,
        ("GET", "/api/projects/@current/annotations/"): _list,
        ("GET", "/api/projects/{project_id:int}/annotations/{id:int}/"): _retrieve,
    },
    plan_cache_mode="force_generic_plan",
    jit="off",
)
