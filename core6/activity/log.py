"""Logs a change that belongs to no resource of the API, such as one of a key, of a user or of a member."""

from collections.abc import Sequence
from typing import Any

from core6.activity.models import Change, activity_of
from core6.database.rows import insert


def log(
    *,
    scope: str,
    item_id: object,
    name: str,
    activity: str,
    user_id: int | None,
    organization_id: Any = None,
    project_id: int | None = None,
    changes: Sequence[Change] | None = None,
) -> None:
    """Store a row of the log, in the transaction of the change; `user_id` is None for a command."""
    insert(
        activity_of(
            organization_id=organization_id,
            project_id=project_id,
            user_id=user_id,
            scope=scope,
            item_id=item_id,
            activity=activity,
            detail={"changes": changes, "name": name},
        )
    )


def log_key(key_id: str, label: str, owner: str, activity: str, *, user_id: int | None = None) -> None:
    """Log that a personal API key of `owner` (an email) was created or revoked."""
    name = f"{label} of {owner}"
    log(scope="PersonalAPIKey", item_id=key_id, name=name, activity=activity, user_id=user_id)
