"""The settings of connections: of the embedded database, of a server by its address, and of a replica."""

from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import environ  # type: ignore[import-untyped]  # the library has no types
from django.core.exceptions import ImproperlyConfigured

from core6.database.embedded import connection_settings

#: Behind a pooler, which has no session options, the role itself needs these limits; `doctor` checks that.
SESSION_LIMITS: Final = {"statement_timeout": "15s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "30s"}


def embedded_server(directory: Path) -> dict[str, Any]:
    """Return the connection to the database of a data directory."""
    return _kept_open(connection_settings(directory))


def server(name: str, url: str, *, is_behind_pooler: bool) -> dict[str, Any]:
    """Return the connection to the server that the setting `name` gives; raises ImproperlyConfigured."""
    # The library warns of unknown schemes; one sentence is enough.
    if not url.startswith(("postgres://", "postgresql://")):
        raise ImproperlyConfigured(f"{name} names no Postgres: use postgres://user:password@host:5432/name")
    try:
        found = dict(environ.Env.db_url_config(url))
        found["HOST"] = unquote(str(found.get("HOST") or ""))  # the directory of a socket
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is no address: use postgres://user:password@host:5432/name") from error
    # Behind a pooler the next statement may run in another session.
    return {**_kept_open(found), "DISABLE_SERVER_SIDE_CURSORS": is_behind_pooler}


def replica(url: str, *, is_behind_pooler: bool) -> dict[str, Any]:
    """Return the connection to the replica, for web workers: none waits for it as long as for the primary."""
    found = server("REPLICA_URL", url, is_behind_pooler=is_behind_pooler)
    limits = {"statement_timeout": "3s", "default_transaction_read_only": "on"}
    found["OPTIONS"] = {
        **found["OPTIONS"],
        # The shortest that the driver supports, and a little more than the server's own limit.
        "connect_timeout": 2,
        "answer_timeout": 4,
        **web_options(limits, is_behind_pooler=is_behind_pooler),
    }
    return found


def _kept_open(given: dict[str, Any]) -> dict[str, Any]:
    """Return a connection that lasts, and that gives up after 3 seconds while it is opened."""
    options = {**given.get("OPTIONS", {}), "connect_timeout": 3}
    kept = {"ENGINE": "core6.database.backend", "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
    return {**given, **kept, "OPTIONS": options}


def web_options(limits: dict[str, str], *, is_behind_pooler: bool) -> dict[str, Any]:
    """Return the options of web workers' connections: statements prepared once, and limits of time."""
    if is_behind_pooler:
        return {"server_side_binding": True, "prepare_threshold": None}
    given = {"plan_cache_mode": "force_generic_plan", "jit": "off", **limits}
    options = " ".join(f"-c {name}={value}" for name, value in given.items())
    return {"server_side_binding": True, "prepare_threshold": 0, "options": options}
