"""The failures of a calculation: their codes and the messages that clients read."""

from typing import Final

from django.db.models import OuterRef, Subquery

from cohorts.models import Calculation

#: Error codes by SQLSTATE of Postgres; two digits are a class, for the states that are not listed.
CODES: Final = {
    "57014": "timeout",
    "53200": "memory_limit",
    "53300": "capacity",
    "2201B": "invalid_regex",
    "54": "query_size",
    "22": "incompatible_types",
}
#: The failures whose only cause is the definition of the cohort: the server itself is well.
OF_DEFINITIONS: Final = frozenset(
    {"invalid_regex", "no_properties", "query_size", "incompatible_types", "validation_error"}
)
_MESSAGES: Final = {
    "timeout": "The calculation of this cohort is taking too long: use fewer conditions or shorter times.",
    "memory_limit": "The calculation of this cohort needs too much memory: use fewer conditions.",
    "query_size": "The definition of this cohort is too large: use fewer conditions or shorter lists.",
    "invalid_regex": "This cohort has an invalid regular expression: correct it and save the cohort.",
    "no_properties": "This cohort has no matching criteria: add a condition.",
    "capacity": "The database was busy: the server will automatically retry.",
    "interrupted": "The calculation was interrupted: the server will automatically retry.",
}
_OTHER: Final = "An error occurred while calculating this cohort: check its conditions and save it again."


def message(code: str | None) -> str | None:
    """Return the error message of a failure code; None without a code."""
    return _MESSAGES.get(code, _OTHER) if code else None


def last_failure(column: str) -> Subquery:
    """Return a subquery for a column of the newest failed run of the outer query's cohort; null without one."""
    failed = Calculation.objects.filter(cohort=OuterRef("pk"), error__gt="").order_by("-started_at")
    return Subquery(failed.values(column)[:1])
