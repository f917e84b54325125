"""The addresses of the API that many tests call: of Acme's projects, and of what its project Web holds."""

from typing import Any

from tests.conftest import Cast


def annotations_url(cast: Cast, annotation: Any = None, project: Any = None, rest: str = "") -> str:
    """Return the address of the list, or of one annotation, below `project`, which is Web unless it is given."""
    return _below(f"/api/projects/{_key(project or cast.web)}/annotations/", annotation, rest)


def cohorts_url(cast: Cast, cohort: Any = None, rest: str = "") -> str:
    return _below(f"/api/projects/{cast.web.pk}/cohorts/", cohort, rest)


def projects_url(cast: Cast, project: Any = None, rest: str = "") -> str:
    return _below(f"/api/organizations/{cast.acme.pk}/projects/", project, rest)


def action_url(cast: Cast, action: str = "") -> str:
    """Return the address of an action of Web, or of Web itself."""
    return projects_url(cast, cast.web, f"{action}/" if action else "")


def _below(base: str, one: Any, rest: str) -> str:
    return base + rest if one is None else f"{base}{_key(one)}/{rest}"


def _key(one: Any) -> Any:
    """Return the key of an object, of the JSON of one, or the key itself."""
    return one["id"] if isinstance(one, dict) else getattr(one, "pk", one)
