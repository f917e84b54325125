"""The descriptions of the cohort operations in the OpenAPI schema."""

from typing import Final

from core6.api.openapi.operations import KEEPS_THE_REST, Operation, activity_of, activity_of_all, hard_delete

_PERSON: Final = "0195a0c0-0000-7000-8000-000000000001"
_COHORT: Final = {
    "name": "Paying customers",
    "filters": {
        "properties": {
            "type": "AND",
            "values": [{"type": "person", "key": "plan", "operator": "exact", "value": ["pro"]}],
        }
    },
}

OPERATIONS: Final = {
    "list": Operation(
        "List all cohorts", "Lists the cohorts of the project, newest first. Deleted cohorts are left out."
    ),
    "create": Operation(
        "Create cohorts",
        "Creates a cohort. The members of a dynamic cohort are calculated from `filters` in the background:"
        " `is_calculating` is true until the calculation ends. The members of a static cohort (`is_static`) are the"
        " persons in `_create_static_person_ids`, in a CSV file or in the result of `query`.",
        _COHORT,
    ),
    "retrieve": Operation(
        "Retrieve cohorts", "Returns a cohort with the state of its calculation. A deleted cohort is returned, too."
    ),
    "update": Operation("Replace cohorts", f"Changes a cohort.{KEEPS_THE_REST}", _COHORT),
    "partial_update": Operation(
        "Update cohorts",
        f"Changes a cohort.{KEEPS_THE_REST} A dynamic cohort is calculated again. A cohort that is used by another"
        " object cannot be deleted.",
        {"description": "Everybody on the plan pro"},
    ),
    "destroy": hard_delete("cohort"),
    "persons": Operation(
        "List the persons of a cohort", "Lists the members of a cohort with their properties, newest first."
    ),
    "calculation_history": Operation(
        "List the calculations of a cohort", "Lists the calculations of a cohort with their results, newest first."
    ),
    "add_persons_to_static_cohort": Operation(
        "Add persons to a static cohort",
        "Adds persons of the project to a static cohort. Unknown UUIDs are ignored.",
        {"person_ids": [_PERSON]},
    ),
    "remove_person_from_static_cohort": Operation(
        "Remove a person from a static cohort", "Removes a person from a static cohort.", {"person_id": _PERSON}
    ),
    "duplicate_as_static_cohort": Operation(
        "Duplicate a cohort as a static one",
        "Creates a static cohort with the current members of a dynamic cohort. GET and POST do the same.",
    ),
    "activity": activity_of("a cohort"),
    "all_activity": activity_of_all("cohorts"),
}
