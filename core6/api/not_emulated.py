"""Endpoints that the real service has and this server does not, by the objects of scopes."""

from functools import cache

from core6.accounts.scopes import OBJECTS


def _missing_endpoint(path: str) -> str | None:
    """Return the name of the endpoint of the real service that a path below `/api/` is of; None for other paths."""
    return next((part for part in path.split("/") if part in _names()), None)


def endpoint_not_found(path: str) -> str:
    """Return the text of the 404 of a path below `/api/` that no endpoint has."""
    name = _missing_endpoint(path)
    return "Endpoint not found." + (
        f" Core6 does not have {name}: /api/schema/swagger-ui/ shows what it has." if name else ""
    )


@cache
def _names() -> frozenset[str]:
    """Return the names of paths that belong to an object of scopes: `insight` is the scope of `insights/`."""
    objects = OBJECTS - {"annotation", "cohort", "organization", "project", "user", "activity_log"}
    return objects | {f"{name}s" for name in objects}
