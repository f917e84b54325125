"""Every address of the API and of ingestion, read from the URL patterns: what is added there is tested, too."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.views import SpectacularAPIView

from core6.observability.routes import readable

#: Every method that a client may send; the last is one that no standard knows.
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "NONSENSE")


@dataclass(frozen=True)
class Route:
    """One address, such as `/api/projects/{project_id}/annotations/{id}/`, and the action of each of its methods."""

    template: str
    actions: Mapping[str, str]

    @property
    def methods(self) -> list[str]:
        return [method.upper() for method in self.actions if method != "head"]  # that goes where GET goes


@cache
def api_routes() -> dict[str, Route]:
    """Return the addresses of viewsets below `/api/`, by their templates."""
    found: dict[str, Route] = {}
    for pattern, view in _views(get_resolver(), ""):
        if not pattern.startswith("api/") or not hasattr(view, "cls"):
            continue
        if issubclass(view.cls, SpectacularAPIView) or not getattr(view, "actions", None):
            continue  # pages
        template = _template(pattern)
        assert template not in found, f"two patterns match {template}"
        found[template] = Route(template, view.actions)
    return found


@cache
def ingestion_routes() -> list[str]:
    """Return the templates of the addresses that SDKs call with the token of a project, such as `/batch/`."""
    views = _views(get_resolver(), "")
    return [_template(pattern) for pattern, view in views if view.__module__.startswith("core6.capture.")]


def _template(pattern: str) -> str:
    return re.sub(r":(\w+)", r"{\1}", readable(pattern))


def _views(resolver: URLResolver, before: str) -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        text = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield text, pattern.callback
        elif text.startswith("api/") or not text:
            yield from _views(pattern, text)
