"""What the schema says of the operations on annotations."""

from typing import Final

from core6.api.documentation import ACTIVITY, ALL_ACTIVITY, HARD_DELETE, Operation

_NOTE: Final = {"content": "We launched", "date_marker": "2026-03-15T12:00:00Z", "scope": "project"}

OPERATIONS: Final = {
    "list": Operation(
        "List all annotations",
        "The annotations that the project sees: its own, and those of organization scope of its whole organization;"
        " without the deleted ones. Undated ones first, then the latest date first.",
    ),
    "create": Operation(
        "Create annotations", "Notes something at a point in time. Every field may be left out.", _NOTE
    ),
    "retrieve": Operation("Retrieve annotations", "One annotation that the project sees and that is not deleted."),
    "update": Operation("Replace annotations", "Changes an annotation; what is left out stays as it is.", _NOTE),
    "partial_update": Operation(
        "Update annotations",
        "Changes the fields that are sent, also of a deleted annotation: `deleted` false brings it back.",
        {"content": "We launched, and it holds"},
    ),
    "destroy": Operation("Delete annotations", HARD_DELETE),
    "activity": ACTIVITY,
    "all_activity": ALL_ACTIVITY,
}
