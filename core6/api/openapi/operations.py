"""The descriptions of operations in the schema: their texts and examples."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rest_framework.serializers import Serializer


@dataclass(frozen=True)
class Operation:
    """One operation: its title, a description, and an example body."""

    summary: str
    description: str
    body: Any = None
    #: The serializers of errors with additional keys, by their status.
    errors: Mapping[int, type[Serializer[Any]]] = field(default_factory=dict)


def activity_of(one: str) -> Operation:
    """Return the description of the activity of `one` object, such as "a project"."""
    return Operation(f"List the activity of {one}", f"Lists the changes of {one}, newest first.")


def activity_of_all(objects: str) -> Operation:
    """Return the description of the activity of all `objects` of a project, such as "cohorts"."""
    text = f"Lists the changes of all {objects} of the project, newest first."
    return Operation(f"List the activity of all {objects}", text)


ADMINISTRATORS = " Requires an administrator or owner of the organization."
KEEPS_THE_REST = " Fields that are not sent keep their values."


def hard_delete(one: str) -> Operation:
    """Return the description of the DELETE of `one` object, which only can be soft-deleted."""
    return Operation(
        f"Delete {one}s",
        f"Not supported: always returns 405 with an empty body. PATCH `deleted` to `true` to delete the {one}, and to"
        " `false` to restore it.",
    )
