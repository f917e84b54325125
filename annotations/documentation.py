"""The descriptions of the annotation operations in the OpenAPI schema."""

from typing import Final

from drf_spectacular.utils import extend_schema_view

from core6.api.openapi.operations import KEEPS_THE_REST, activity_of, activity_of_all, hard_delete, operation

_NOTE: Final = {"content": "We launched", "date_marker": "2026-03-15T12:00:00Z", "scope": "project"}

documented = extend_schema_view(
    list=operation(
        "List all annotations",
        "Lists the annotations of the project, and those of scope `organization` from its whole organization. Deleted"
        " annotations are left out. Annotations without a date come first, then the latest date first.",
    ),
    create=operation("Create annotations", "Creates an annotation. All fields are optional.", _NOTE),
    retrieve=operation("Retrieve annotations", "Returns an annotation. A deleted annotation is not found."),
    update=operation("Replace annotations", f"Changes an annotation.{KEEPS_THE_REST}", _NOTE),
    partial_update=operation(
        "Update annotations",
        f"Changes an annotation.{KEEPS_THE_REST} A deleted annotation can be changed, too: set `deleted` to `false` to"
        " restore it.",
        {"content": "We launched, and it holds"},
    ),
    destroy=hard_delete("annotation"),
    activity=activity_of("an annotation"),
    all_activity=activity_of_all("annotations"),
)
