"""Generation, rotation and revocation of a project's tokens."""

from core6.accounts.models import User
from core6.activity.models import Change
from core6.database.timestamps import with_timestamps
from core6.security.masking import mask_key
from projects.activity import change, log_updated
from projects.models import Project
from projects.token_formats import api_token, secret_token


def reset_api_token(project: Project, user: User | None) -> None:
    """Give the locked project a new `api_token`; the old one is invalid at once."""
    before = project.api_token
    project.api_token = api_token()
    _save(project, user, change("api_token", before, project.api_token), "api_token")


def rotate_secret_token(project: Project, user: User | None) -> None:
    """Give the locked project a new secret token; the previous one becomes the backup, replacing an older backup."""
    before, backup = project.secret_api_token, project.secret_api_token_backup
    project.secret_api_token, project.secret_api_token_backup = secret_token(), before
    after = {"secret_api_token": mask_key(project.secret_api_token)}
    if before is None:
        entry = change("secret_api_token", {"secret_api_token": None}, after, action="created")
    else:
        old = {"secret_api_token": mask_key(before), "secret_api_token_backup": mask_key(backup)}
        entry = change("secret_api_token", old, {**after, "secret_api_token_backup": mask_key(before)})
    _save(project, user, entry, "secret_api_token", "secret_api_token_backup")


def delete_secret_token_backup(project: Project, user: User | None) -> None:
    """Revoke the backup of the locked project's secret token, if there is one."""
    before = project.secret_api_token_backup
    if before is None:
        return
    project.secret_api_token_backup = None
    _save(project, user, change("secret_api_token_backup", mask_key(before), None), "secret_api_token_backup")


def generate_conversations_public_token(project: Project, user: User | None) -> None:
    """Give the locked project's conversations widget a new token; other settings are kept."""
    before = (project.conversations_settings or {}).get("widget_public_token")
    token = api_token()
    project.conversations_settings = {**(project.conversations_settings or {}), "widget_public_token": token}
    entry = change("conversations_settings.widget_public_token", mask_key(before), mask_key(token))
    _save(project, user, entry, "conversations_settings")


def _save(project: Project, user: User | None, entry: Change, *fields: str) -> None:
    project.save(update_fields=with_timestamps(project, fields))
    log_updated(project, user, [entry])
