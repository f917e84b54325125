"""What a resource says of its operations: the texts and examples of the schema and its pages."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Operation:
    """One operation: the page's title for it, what it does, and a body to try it with."""

    summary: str
    description: str
    body: Any = None


ACTIVITY = Operation("List the activity of one", "What was changed, by whom and when; newest first.")
ALL_ACTIVITY = Operation("List the activity", "What was changed in the project, by whom and when; newest first.")
ADMINISTRATORS = " Takes an administrator of the organization."
HARD_DELETE = (
    "Always 405 with an empty body: nothing is deleted for good. PATCH `deleted` to true instead, and to false to bring"
    " it back."
)
