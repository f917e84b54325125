"""Persons and events of a project, and small objects that the endpoints refer to.

The tables of persons and events have composite keys that begin with the project, and plain columns instead of foreign
keys, so that they can be distributed by project. Every statement on them binds the project.
"""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from core6.accounts import keys
from core6.accounts.ids import uuid7
from core6.database import timestamps

MOST_GROUP_TYPES = 5


def short_id() -> str:
    """Return a random id of 8 characters, as in URLs of insights."""
    return keys.token("", 60)[-8:].rjust(8, "0")


class Dashboard(models.Model):
    """A dashboard of a project."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=400, null=True, blank=True)
    deleted = models.BooleanField(default=False)


class Insight(models.Model):
    """An insight of a project."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    short_id = models.CharField(max_length=12, default=short_id, editable=False)
    name = models.CharField(max_length=400, null=True, blank=True)
    derived_name = models.CharField(max_length=400, null=True, blank=True)
    query = models.JSONField(null=True, blank=True)
    deleted = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "short_id"], name="insight_short_id_once_per_project")
        ]


class GroupType(models.Model):
    """A type of group that events can belong to, such as `company`; at most five in a project, by index."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="group_types")
    group_type = models.CharField(max_length=400)
    group_type_index = models.PositiveSmallIntegerField()
    name_singular = models.CharField(max_length=400, null=True, blank=True)
    name_plural = models.CharField(max_length=400, null=True, blank=True)
    default_columns = ArrayField(models.TextField(), null=True, blank=True)
    detail_dashboard = models.ForeignKey(Dashboard, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timestamps.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "group_type"], name="group_type_once_per_project"),
            models.UniqueConstraint(fields=["project", "group_type_index"], name="group_type_index_once_per_project"),
            models.CheckConstraint(
                condition=models.Q(group_type_index__lt=MOST_GROUP_TYPES),
                name="group_type_index_below_five",
                violation_error_message=f"A project has at most {MOST_GROUP_TYPES} group types.",
            ),
        ]


class Experiment(models.Model):
    """An experiment, only with the cohort of exposed persons."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=400)
    exposure_cohort = models.ForeignKey(
        "cohorts.Cohort", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )


class Person(models.Model):
    """A person with the current properties."""

    pk = models.CompositePrimaryKey("project_id", "uuid")
    project_id = models.BigIntegerField()
    uuid = models.UUIDField(default=uuid7)
    properties = models.JSONField(default=dict)
    is_identified = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timestamps.now)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project_id", "-created_at", "-uuid"], name="person_newest_first")]


class DistinctId(models.Model):
    """An id of a person in events."""

    pk = models.CompositePrimaryKey("project_id", "distinct_id")
    project_id = models.BigIntegerField()
    distinct_id = models.CharField(max_length=400)
    person_uuid = models.UUIDField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project_id", "person_uuid"], name="distinct_id_of_a_person")]


class PersonOverride(models.Model):
    """Events of a merged person belong to another one (E13), until a job has written that into the events."""

    pk = models.CompositePrimaryKey("project_id", "old_uuid")
    project_id = models.BigIntegerField()
    old_uuid = models.UUIDField()
    new_uuid = models.UUIDField()


class Event(models.Model):
    """An event of a person; append-only."""

    pk = models.CompositePrimaryKey("project_id", "uuid")
    project_id = models.BigIntegerField()
    uuid = models.UUIDField(default=uuid7)
    event = models.CharField(max_length=400)
    distinct_id = models.CharField(max_length=400)
    person_uuid = models.UUIDField()
    timestamp = models.DateTimeField(default=timestamps.now)
    properties = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [
            # For index-only scans of persons by event and time.
            models.Index(fields=["project_id", "event", "timestamp"], include=["person_uuid"], name="event_by_time")
        ]
