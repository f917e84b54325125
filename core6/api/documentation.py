"""What a resource says of its operations: the texts and examples of the schema and its pages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rest_framework.serializers import Serializer


@dataclass(frozen=True)
class Operation:
    """One operation: the page's title for it, what it does, and a body to try it with."""

    summary: str
    description: str
    body: Any = None
    #: The errors that have more keys than the others, by their status.
    errors: Mapping[int, type[Serializer[Any]]] = field(default_factory=dict)


ACTIVITY = Operation("List the activity of one", "What was changed, by whom and when; newest first.")
ALL_ACTIVITY = Operation("List the activity", "What was changed in the project, by whom and when; newest first.")
ADMINISTRATORS = " Takes an administrator of the organization."
HARD_DELETE = (
    "Always 405 with an empty body: nothing is deleted for good. PATCH `deleted` to true instead, and to false to bring"
    " it back."
)
