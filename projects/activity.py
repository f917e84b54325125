"""Activity of projects: changes of settings have scope `Team`, of name and description scope `Project`."""

from collections.abc import Sequence
from typing import Any

from core6.accounts.models import User
from core6.activity import models
from core6.activity.models import Change, activity_of
from core6.database.rows import insert
from projects.models import Project

#: The fields of scope `Project`.
OWN_FIELDS = ("name", "product_description")


def change(field: str, before: Any, after: Any, *, action: str | None = None) -> Change:
    """Return the change of one field of a project."""
    return models.change(field, before, after, kind="Project" if field in OWN_FIELDS else "Team", action=action)


def log_created(project: Project, user: User | None) -> None:
    """Log a new project."""
    for scope in ("Project", "Team"):
        _log(project, user, scope, "created")


def log_updated(project: Project, user: User | None, changes: Sequence[Change]) -> None:
    """Log changed fields, one row for each scope with changes."""
    for scope in ("Project", "Team"):
        of_scope = [entry for entry in changes if entry["type"] == scope]
        if of_scope:
            _log(project, user, scope, "updated", of_scope)
    surveys = [entry for entry in changes if entry["field"] == "survey_config"]
    if surveys:
        _log(project, user, "Survey", "updated", surveys, item_id="#", name="global survey appearance")


def log_deleted(project: Project, user: User | None) -> None:
    """Log the deletion of a project, before it; the rows belong to the organization."""
    for scope in ("Project", "Team"):
        _log(project, user, scope, "deleted", project_id=None)


def _log(
    project: Project,
    user: User | None,
    scope: str,
    activity: str,
    changes: Sequence[Change] | None = None,
    **overrides: Any,
) -> None:
    insert(
        activity_of(
            organization_id=project.organization_id,
            project_id=overrides.get("project_id", project.pk),
            user_id=user.pk if user else None,
            scope=scope,
            item_id=overrides.get("item_id", project.pk),
            activity=activity,
            detail={"changes": changes, "name": overrides.get("name", project.name)},
        )
    )
