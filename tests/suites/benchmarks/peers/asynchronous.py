"""What the two hand-written peers share: a pool of connections, the key, refusals and pages."""

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

#: Connections a process; more of them take longer, two processors are the limit.
_CONNECTIONS = 4
_MOST = 1000
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


async def _keep(_: Any) -> None:
    """Give a connection back as it is: nothing here changes its state, so nothing has to be reset."""


def application(routes: dict[tuple[str, str], Handler], **settings: str) -> Starlette:
    """Return the application of some routes; `settings` are Postgres' own, of each connection."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # The variables PGHOST, PGUSER and so on say where the database is.
        async with asyncpg.create_pool(
            min_size=_CONNECTIONS, max_size=_CONNECTIONS, reset=_keep, server_settings=settings
        ) as pool:
            app.state.pool = pool
            yield

    listed = [Route(path, handler, methods=[method]) for (method, path), handler in routes.items()]
    return Starlette(routes=listed, lifespan=lifespan, exception_handlers={HTTPException: _refuse})


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return json_response(orjson.dumps({"detail": error.detail}), error.status_code)


def json_response(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


def digest(request: Request) -> str:
    """Return what is stored of the key that a request carries; 401 when it carries none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not key:
        raise HTTPException(401, "Authentication credentials were not provided.")
    return f"sha256${hashlib.sha256(key.strip().encode()).hexdigest()}"


def check(row: Any, scope: str) -> None:
    """Refuse what the row of a key, its user, the project and the user's place there does not allow."""
    if row is None:
        raise HTTPException(401, "Personal API key is invalid.")
    if row["organization_id"] is None:
        raise HTTPException(404, "Project not found.")
    name, _, action = scope.partition(":")
    held = row["scopes"] or ()
    if not ("*" in held or scope in held or (action == "read" and f"{name}:write" in held)):
        raise HTTPException(403, f"API key missing required scope '{scope}'")
    if row["scoped_teams"] and row["project_id"] not in row["scoped_teams"]:
        raise HTTPException(403, "API key does not have access to the requested project.")
    if row["scoped_organizations"] and row["organization_id"] not in row["scoped_organizations"]:
        raise HTTPException(403, "API key does not have access to the requested organization.")
    if row["level"] is None or row["level"] < 1:
        raise HTTPException(403, "You don't have access to the project.")


def bounds(request: Request) -> tuple[int, int]:
    """Return limit and offset."""
    try:
        limit, offset = (
            int(request.query_params.get(name, given)) for name, given in (("limit", _MOST), ("offset", 0))
        )
    except ValueError:
        limit, offset = _MOST, 0
    return min(max(limit, 1), _MOST), max(offset, 0)


def patterns(request: Request) -> list[str]:
    """Return a pattern of LIKE for each word of `?search=`."""
    words = request.query_params.get("search", "").replace(",", " ").split()
    return [f"%{_SPECIAL.sub(_ESCAPED, word)}%" for word in words]


_SPECIAL, _ESCAPED = re.compile(r"[\\%_]"), r"\\\g<0>"


def links(request: Request, count: int, limit: int, offset: int) -> tuple[str | None, str | None]:
    """Return the addresses of the next page and of the one before; the only other parameter is `search`."""
    here = f"{request.url.scheme}://{request.headers['host']}{request.url.path}?limit={limit}"
    search = request.query_params.get("search")
    rest = f"&{urlencode({'search': search})}" if search is not None else ""
    previous = f"{here}{rest}" if offset <= limit else f"{here}&offset={offset - limit}{rest}"
    following = f"{here}&offset={offset + limit}{rest}" if offset + limit < count else None
    return following, previous if offset else None


def new_annotation(body: bytes) -> dict[str, Any]:
    """Return the checked fields of a new annotation; 400 when one is bad."""
    return _checked(body, _DEFAULTS)


def changed_annotation(body: bytes) -> dict[str, Any]:
    """Return the checked fields that a change of an annotation names; 400 when one is bad."""
    fields = _checked(body, {})
    return {name: fields[name] for name in _DEFAULTS if name in fields}


def _checked(body: bytes, given: dict[str, Any]) -> dict[str, Any]:
    try:
        sent = orjson.loads(body)
        fields = {**given, **{name: value for name, value in sent.items() if name in _DEFAULTS}}
        if fields.get("date_marker") is not None:
            fields["date_marker"] = datetime.fromisoformat(fields["date_marker"])
    except (ValueError, TypeError, AttributeError) as error:
        raise HTTPException(400, "JSON parse error or bad date_marker") from error
    full = {**_DEFAULTS, **fields}
    if full["content"] is not None and not (isinstance(full["content"], str) and len(full["content"]) <= 8192):
        raise HTTPException(400, "content: bad value")
    if full["scope"] not in _SCOPES or full["creation_type"] not in ("USR", "GIT"):
        raise HTTPException(400, "scope or creation_type: bad value")
    if not isinstance(full["deleted"], bool):
        raise HTTPException(400, "deleted: bad value")
    for name in ("dashboard_id", "dashboard_item"):
        if full[name] is not None and not isinstance(full[name], int):
            raise HTTPException(400, f"{name}: bad value")
    return fields


_SCOPES = ("dashboard_item", "dashboard", "project", "organization")
_DEFAULTS = {
    "content": None,
    "date_marker": None,
    "creation_type": "USR",
    "dashboard_item": None,
    "dashboard_id": None,
    "deleted": False,
    "scope": "dashboard_item",
}
