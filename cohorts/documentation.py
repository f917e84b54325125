"""What the schema says of the operations on cohorts."""

from typing import Final

from core6.api.documentation import ACTIVITY, ALL_ACTIVITY, HARD_DELETE, Operation

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
    "list": Operation("List all cohorts", "The cohorts of the project without the deleted ones, newest first."),
    "create": Operation(
        "Create cohorts",
        "Defines a set of persons. A dynamic one is computed from `filters` by a job that starts at once:"
        " `is_calculating` tells when it is done, `count` how many there are. A static one (`is_static`) gets the"
        " persons of `_create_static_person_ids`, of a CSV file or of a `query`.",
        _COHORT,
    ),
    "retrieve": Operation("Retrieve cohorts", "One cohort of the project, deleted or not, and how its computing goes."),
    "update": Operation("Replace cohorts", "Changes a cohort; what is left out stays as it is.", _COHORT),
    "partial_update": Operation(
        "Update cohorts",
        "Changes the fields that are sent; a dynamic cohort is computed again. One that something else needs cannot be"
        " deleted.",
        {"description": "Everybody on the plan pro"},
    ),
    "destroy": Operation("Delete cohorts", HARD_DELETE),
    "persons": Operation("List the persons of a cohort", "The members of a cohort with their properties, as pages."),
    "calculation_history": Operation("List the calculations of a cohort", "Each run with its outcome, newest first."),
    "add_persons_to_static_cohort": Operation(
        "Add persons to a static cohort",
        "Puts persons of the project in, by their uuids; unknown ones are dropped.",
        {"person_ids": [_PERSON]},
    ),
    "remove_person_from_static_cohort": Operation(
        "Remove a person from a static cohort", "Takes one person out, by her uuid.", {"person_id": _PERSON}
    ),
    "duplicate_as_static_cohort": Operation(
        "Duplicate a cohort as a static one",
        "Makes a static cohort of the persons who are in a dynamic one. GET and POST do the same.",
    ),
    "activity": ACTIVITY,
    "all_activity": ALL_ACTIVITY,
}
