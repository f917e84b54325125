"""The descriptions of operations in the schema: their texts and examples."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, extend_schema

F = TypeVar("F", bound=Callable[..., Any])


def operation(summary: str, description: str, body: Any = None) -> Callable[[F], F]:
    """Return the decorator for one operation: its title, a description, and an example body."""
    examples = [OpenApiExample(summary, value=body, request_only=True)] if body else None
    return extend_schema(summary=summary, description=description, examples=examples)


def activity_of(one: str) -> Callable[[F], F]:
    """Return the description of the activity of `one` object, such as "a project"."""
    return operation(f"List the activity of {one}", f"Lists the changes of {one}, newest first.")


def activity_of_all(objects: str) -> Callable[[F], F]:
    """Return the description of the activity of all `objects` of a project, such as "cohorts"."""
    text = f"Lists the changes of all {objects} of the project, newest first."
    return operation(f"List the activity of all {objects}", text)


ADMINISTRATORS = " Requires an administrator or owner of the organization."
KEEPS_THE_REST = " Fields that are not sent keep their values."


def hard_delete(one: str) -> Callable[[F], F]:
    """Return the description of the DELETE of `one` object, which only can be soft-deleted."""
    return operation(
        f"Delete {one}s",
        f"Not supported: always returns 405 with an empty body. PATCH `deleted` to `true` to delete the {one}, and to"
        " `false` to restore it.",
    )
