"""The descriptions of the cohort operations in the OpenAPI schema."""

from typing import Final

from drf_spectacular.utils import extend_schema_view

from core6.api.openapi.operations import KEEPS_THE_REST, activity_of, activity_of_all, hard_delete, operation

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

documented = extend_schema_view(
    list=operation("List all cohorts", "Lists the cohorts of the project, newest first. Deleted cohorts are left out."),
    create=operation(
        "Create cohorts",
        "Creates a cohort. The members of a dynamic cohort are calculated from `filters` in the background:"
        " `is_calculating` is true until the calculation ends. The members of a static cohort (`is_static`) are the"
        " persons in `_create_static_person_ids`, in a CSV file or in the result of `query`.",
        _COHORT,
    ),
    retrieve=operation(
        "Retrieve cohorts", "Returns a cohort with the state of its calculation. A deleted cohort is returned, too."
    ),
    update=operation("Replace cohorts", f"Changes a cohort.{KEEPS_THE_REST}", _COHORT),
    partial_update=operation(
        "Update cohorts",
        f"Changes a cohort.{KEEPS_THE_REST} A dynamic cohort is calculated again. A cohort that is used by another"
        " object cannot be deleted.",
        {"description": "Everybody on the plan pro"},
    ),
    destroy=hard_delete("cohort"),
    persons=operation(
        "List the persons of a cohort", "Lists the members of a cohort with their properties, newest first."
    ),
    calculation_history=operation(
        "List the calculations of a cohort", "Lists the calculations of a cohort with their results, newest first."
    ),
    add_persons_to_static_cohort=operation(
        "Add persons to a static cohort",
        "Adds persons of the project to a static cohort. Unknown UUIDs are ignored.",
        {"person_ids": [_PERSON]},
    ),
    remove_person_from_static_cohort=operation(
        "Remove a person from a static cohort", "Removes a person from a static cohort.", {"person_id": _PERSON}
    ),
    duplicate_as_static_cohort=operation(
        "Duplicate a cohort as a static one",
        "Creates a static cohort with the current members of a dynamic cohort. GET and POST do the same.",
    ),
    activity=activity_of("a cohort"),
    all_activity=activity_of_all("cohorts"),
)
