"""What annotations point at: dashboards and insights, as far as the endpoints show them."""

from typing import ClassVar

from django.db import models

from core6.accounts import keys


def short_id() -> str:
    """Return a random id of 8 characters, as the addresses of insights carry it."""
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
    deleted = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "short_id"], name="insight_short_id_once_per_project")
        ]
