"""The activity log: one append-only table of the changes of all resources."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, TypedDict
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from core6.accounts.ids import uuid7
from core6.database import timestamps


class Change(TypedDict):
    """The change of one field."""

    type: str
    action: str
    field: str
    before: Any
    after: Any


def change(field: str, before: Any, after: Any, *, kind: str, action: str | None = None) -> Change:
    """Return the change of one field: `created` from null, `deleted` to null, else `changed`."""
    verb = action or ("created" if before is None else "deleted" if after is None else "changed")
    return {"type": kind, "action": verb, "field": field, "before": before, "after": after}


def changes_of(before: models.Model, sent: Mapping[str, Any], kind: str) -> list[Change]:
    """Return a change for each sent value that differs from `before`, which must not be modified yet."""
    pairs = [(name, plain(getattr(before, name)), plain(value)) for name, value in sent.items()]
    return [change(name, old, new, kind=kind) for name, old, new in pairs if old != new]


def plain(value: Any) -> Any:
    """Return a value as the log stores it: the key of an object, a time as the API writes it."""
    if isinstance(value, models.Model):
        value = value.pk
    if isinstance(value, UUID):
        return str(value)
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


class ActivityLog(models.Model):
    """One change of one object."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    #: Null for changes of users and keys, which belong to no organization.
    organization = models.ForeignKey("accounts.Organization", null=True, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey("projects.Project", null=True, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    scope = models.CharField(max_length=79, help_text="The kind of object: Annotation, Cohort, Team, …")
    item_id = models.CharField(max_length=72)
    activity = models.CharField(max_length=79, help_text="What happened: created, updated, …")
    detail = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timestamps.now)

    class Meta:
        verbose_name = "change"
        indexes: ClassVar = [
            models.Index(fields=["project", "scope", "-created_at", "-id"], name="activity_of_a_scope"),
            models.Index(fields=["scope", "item_id", "-created_at", "-id"], name="activity_of_an_item"),
            BrinIndex(fields=["created_at"], name="activity_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.item_id} {self.activity}"


def activity_of(
    *,
    organization_id: Any,
    project_id: int | None,
    user_id: int | None,
    scope: str,
    item_id: object,
    activity: str,
    detail: dict[str, Any],
) -> ActivityLog:
    """Return the row of a change; store it in the transaction of the change, so that both exist or neither."""
    return ActivityLog(
        organization_id=organization_id,
        project_id=project_id,
        user_id=user_id,
        scope=scope,
        item_id=str(item_id),
        activity=activity,
        detail=detail,
    )
