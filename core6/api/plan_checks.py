"""Whether the code of a viewset allows a prepared plan: what it overrides decides."""

from collections.abc import Iterator
from typing import Any

from rest_framework.permissions import BasePermission


def helper_classes(view: Any) -> Iterator[type]:
    """Yield the classes, beside the view, that select the rows of a list."""
    filterset = getattr(view, "filterset_class", None)
    yield from view.filter_backends
    if view.pagination_class:
        yield view.pagination_class
    if filterset:
        yield from (filterset, *{type(each) for each in filterset.base_filters.values()})


def filter_methods(view: Any) -> Iterator[Any]:
    """Yield the custom filter methods of a filterset."""
    filterset = getattr(view, "filterset_class", None)
    for each in filterset.base_filters.values() if filterset else ():
        if each.method:
            yield each.method if callable(each.method) else getattr(filterset, each.method)


def checks_only_request(permission: Any) -> bool:
    """Return whether a permission class checks only the request, not the object."""
    return getattr(permission, "has_object_permission", None) is BasePermission.has_object_permission
