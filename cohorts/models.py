"""Cohorts: sets of persons, computed from criteria or given as a list."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.conf import settings
from django.db import models
from django.db.models.expressions import RawSQL

from cohorts.criteria.legacy_groups import from_groups
from cohorts.criteria.references import ids_in
from core6.accounts.ids import uuid7
from core6.database import timestamps

DEFAULT_FOLDER = "Unfiled/Cohorts"
_REFERENCED: Final = (
    "CASE WHEN is_static THEN '[]'::jsonb ELSE jsonb_path_query_array("
    "CASE WHEN filters IS NULL OR filters IN ('null', '{}') THEN groups ELSE filters END,"
    """ '$.** ? (@.type == "cohort" && @.key == "id").value') END"""
)
#: The criteria of a cohort with neither filters nor groups.
NOTHING: dict[str, Any] = {"properties": {}}


def criteria_of(filters: dict[str, Any] | None, groups: Any) -> dict[str, Any]:
    """Return the filters, or the older `groups` as filters."""
    return filters or from_groups(groups)


class Cohort(models.Model):
    """A set of persons; `version` is the calculation of its members, `pending_version` the latest requested one."""

    class CohortType(models.TextChoices):
        STATIC = "static", "static"
        PERSON_PROPERTY = "person_property", "person_property"
        BEHAVIORAL = "behavioral", "behavioral"
        REALTIME = "realtime", "realtime"
        ANALYTICAL = "analytical", "analytical"

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="cohorts")
    name = models.CharField(max_length=400, null=True, blank=True)
    description = models.CharField(max_length=1000, blank=True, default="")
    groups = models.JSONField(default=list, blank=True)
    deleted = models.BooleanField(default=False)
    filters = models.JSONField(null=True, blank=True)
    query = models.JSONField(null=True, blank=True)
    version = models.IntegerField(null=True, blank=True)
    pending_version = models.IntegerField(null=True, blank=True)
    is_calculating = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timestamps.now, null=True, editable=False)
    last_calculation = models.DateTimeField(null=True, blank=True)
    errors_calculating = models.IntegerField(default=0)
    last_error_at = models.DateTimeField(null=True, blank=True)
    count = models.BigIntegerField(null=True, blank=True)
    is_static = models.BooleanField(default=False)
    cohort_type = models.CharField(max_length=50, choices=CohortType, null=True, blank=True)
    folder = models.CharField(max_length=1000, default=DEFAULT_FOLDER)
    #: The values of its cohort leaves, as JSON; empty for a static cohort, whose members are given (D66).
    referenced_cohorts = models.GeneratedField(
        expression=RawSQL(_REFERENCED, ()),  # noqa: S611  # our own text
        output_field=models.JSONField(),
        db_persist=True,
    )

    #: Only in a request that adds persons: the ids of those who were really added.
    added_person_ids: Sequence[str] = ()
    #: Annotated by the viewset: the code of the last failure, and the experiments that use the cohort.
    error_code: str | None = None
    experiment_ids: Sequence[int] = ()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project", "-created_at", "-id"], name="cohort_of_a_project"),
        ]

    def __str__(self) -> str:
        return self.name or f"Cohort {self.pk}"

    @property
    def criteria(self) -> dict[str, Any]:
        return criteria_of(self.filters, self.groups)

    @property
    def references(self) -> set[int]:
        """The ids of the cohorts that its criteria refer to."""
        return ids_in(self.referenced_cohorts)


class CohortMember(models.Model):
    """The membership of a person in a cohort; plain columns without foreign keys, as in the person tables."""

    pk = models.CompositePrimaryKey("project_id", "cohort_id", "person_uuid")
    project_id = models.BigIntegerField()
    cohort_id = models.BigIntegerField()
    person_uuid = models.UUIDField()


class Definition(models.Model):
    """Criteria that a cohort was calculated with: stored once for all their runs, since they may be large."""

    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="+")
    #: SHA-256 of the criteria in hexadecimal.
    digest = models.CharField(max_length=64)
    filters = models.JSONField()
    #: The statement of the first run that had one.
    query = models.TextField(default="", db_default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cohort", "digest"], name="one_definition_of_the_same_criteria")
        ]

    def __str__(self) -> str:
        return f"Definition of cohort {self.cohort_id}"


class Calculation(models.Model):
    """One run of the calculation of a cohort."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="calculations")
    definition = models.ForeignKey(Definition, null=True, on_delete=models.RESTRICT, related_name="+")
    #: The criteria of a run without a definition, made by an earlier release.
    filters = models.JSONField(default=dict)
    count = models.BigIntegerField(null=True)
    started_at = models.DateTimeField(default=timestamps.now)
    finished_at = models.DateTimeField(null=True)
    #: Its statements with their statistics; an empty text stands for the statement of the definition.
    queries = models.JSONField(null=True)
    error = models.TextField(null=True)
    error_code = models.CharField(max_length=40, null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["cohort", "-started_at", "-id"], name="calculation_newest_first"),
            models.Index(
                fields=["cohort", "-started_at"],
                condition=models.Q(error__gt=""),
                include=["error_code"],
                name="calculation_that_failed",
            ),
        ]

    def __str__(self) -> str:
        return f"Calculation of {self.started_at:%Y-%m-%d %H:%M:%S}"
