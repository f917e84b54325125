"""Detects custom code of a resource, which may only be skipped if it would return the same again.

REST framework lets a resource override nearly everything. `core6.api.reads` uses prepared and cached results only if
that cannot matter: every function between the permission and the renderer belongs to a framework, or is marked with
`@repeatable`. Any other override of a framework's function is called each time.
"""

from collections.abc import Callable
from inspect import getattr_static, isclass, isroutine
from typing import Any, Final, TypeVar

from drf_spectacular.drainage import isolate_view_method

F = TypeVar("F", bound=Callable[..., Any])
_FRAMEWORKS: Final = ("builtins", "typing", "django", "django_filters", "rest_framework", "core6.api")
#: Hooks of a view that run for every request before the action does, and hooks of its writes.
OF_VIEWS: Final = frozenset(
    (
        *("check_level", "check_restrictions", "level_too_low", "perform_content_negotiation", "required_level"),
        *("required_scopes", "resolve_tenant", "tenant_url_kwarg"),
        *("activity_detail", "activity_verb", "create", "destroy", "lock", "partial_update", "update"),
        *("perform_create", "perform_destroy", "perform_update"),
    )
)
#: Functions of serializers and of their fields that only writes call.
OF_SERIALIZERS: Final = frozenset(
    ("create", "get_queryset", "run_validation", "to_internal_value", "update", "validate")
)


def repeatable(function: F) -> F:
    """Mark a function that returns the same for the same rows, caller and query, so that its result can be cached."""
    function.is_repeatable = True  # type: ignore[attr-defined]  # an attribute of our own
    return function


def is_marked(function: Any) -> bool:
    """Return whether a function is marked as repeatable."""
    return getattr(function, "is_repeatable", False)


def overrides(cls: type, harmless: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return the names of a framework's functions that a class overrides, except harmless and marked ones."""
    return frozenset(name for name in overridden(cls) - harmless if not is_marked(getattr_static(cls, name)))


def overridden(cls: type) -> frozenset[str]:
    """Return the names of a framework's functions that a class, or a base of it outside the frameworks, overrides."""
    theirs: dict[str, Any] = {}
    for each in reversed(cls.__mro__):
        if is_of_framework(each):
            theirs |= vars(each)
    return frozenset(
        name
        for each in cls.__mro__
        if not is_of_framework(each)
        for name, value in vars(each).items()
        if name in theirs and _is_code(value, theirs[name])
    )


def is_of_framework(cls: type) -> bool:
    """Return whether a class belongs to a library of the API, or to this package."""
    return any(cls.__module__ == name or cls.__module__.startswith(f"{name}.") for name in _FRAMEWORKS)


def _is_code(value: Any, theirs: Any) -> bool:
    """Return whether an attribute is code; a class in place of another class is a declaration, so is a description."""
    if _undescribed(value) is theirs:
        return False
    return (callable(value) or hasattr(value, "__get__")) and (not isclass(value) or isroutine(theirs))


def _undescribed(function: Any) -> Any:
    """Return the method that `extend_schema_view` describes.

    If the method is inherited, the library sets a function on the class that only calls it. A function is recognized by
    the module that its code is in, since `functools.wraps` copies all other marks to any function.
    """
    while getattr(function, "__globals__", {}).get("__name__") == isolate_view_method.__module__:
        function = function.__wrapped__
    return function
