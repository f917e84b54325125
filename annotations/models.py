"""Annotations: notes on a point in time, shown on a project's charts."""

from typing import ClassVar, Final

from django.conf import settings
from django.db import models

from core6.database import timestamps

_LONGEST_NAME: Final = 80


class Annotation(models.Model):
    """A note; the row has the organization, since one of scope `organization` is shown in all its projects."""

    class CreationType(models.TextChoices):
        USER = "USR", "user"
        GITHUB = "GIT", "GitHub"

    class Scope(models.TextChoices):
        INSIGHT = "dashboard_item", "insight"
        DASHBOARD = "dashboard", "dashboard"
        PROJECT = "project", "project"
        ORGANIZATION = "organization", "organization"
        RECORDING = "recording", "recording"

    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="annotations")
    content = models.TextField(max_length=8192, null=True, blank=True)
    date_marker = models.DateTimeField(null=True, blank=True)
    creation_type = models.CharField(max_length=3, choices=CreationType, default=CreationType.USER)
    dashboard_item = models.ForeignKey(
        "analytics.Insight", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    dashboard = models.ForeignKey(
        "analytics.Dashboard", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timestamps.now, null=True, editable=False)
    updated_at = timestamps.ChangedAtField()
    deleted = models.BooleanField(default=False)
    scope = models.CharField(max_length=24, choices=Scope, default=Scope.INSIGHT)

    class Meta:
        indexes: ClassVar = [
            # For the list, in its order: a project's own rows, and those shared in the organization. The indexes cover
            # all conditions, so that pages and counts need only the indexes.
            models.Index(
                fields=["project", "-date_marker", "-id"],
                condition=models.Q(deleted=False),
                name="annotations_of_a_project",
            ),
            models.Index(
                fields=["organization", "-date_marker", "-id"],
                condition=models.Q(scope="organization", deleted=False),
                include=["project"],
                name="annotations_shared",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(scope__in=["dashboard_item", "dashboard", "project", "organization", "recording"]),
                name="annotation_scope_known",
            ),
            models.CheckConstraint(
                condition=models.Q(creation_type__in=["USR", "GIT"]), name="annotation_creation_type_known"
            ),
        ]

    def __str__(self) -> str:
        text = self.content or f"Annotation {self.pk}"
        return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"
