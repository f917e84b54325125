"""The tokens of a project: their formats, how they are kept, how one follows another (projects.md 1.4 to 1.7)."""

import base64
import hashlib
import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from core6.accounts import keys
from core6.accounts.models import User
from core6.activity.models import Change
from projects.activity import change, log_updated

if TYPE_CHECKING:  # the models need the formats from here
    from projects.models import Project


def api_token() -> str:
    """Return a new project token: `phc_` and base62 text of 256 random bits."""
    return keys.token("phc_", 256)


def secret_token() -> str:
    """Return a new secret token: `phs_` and base62 text of 280 random bits."""
    return keys.token("phs_", 280)


def widget_token() -> str:
    """Return the token that switching conversations on makes: 43 URL-safe characters without a prefix."""
    return secrets.token_urlsafe(32)


def encrypt(text: str) -> str:
    """Return what is stored of a secret that must stay readable."""
    return _fernet(_encryption_keys()).encrypt(text.encode()).decode()


def decrypt(stored: str) -> str:
    """Return the secret again; raises ImproperlyConfigured when no key of ENCRYPTION_KEYS fits."""
    try:
        return _fernet(_encryption_keys()).decrypt(stored).decode()
    except InvalidToken as error:
        raise ImproperlyConfigured(
            "a stored secret cannot be decrypted: add the key that it was written with to ENCRYPTION_KEYS"
        ) from error


class EncryptedField(models.TextField):  # type: ignore[type-arg]  # not subscriptable at run time
    """Text that is readable in Python and encrypted in the database."""

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None else encrypt(value)

    def from_db_value(self, value: str | None, *_: object) -> str | None:
        return value if value is None else decrypt(value)


def _encryption_keys() -> tuple[str, ...]:
    return tuple(settings.ENCRYPTION_KEYS) or (settings.SECRET_KEY,)


@lru_cache(maxsize=4)
def _fernet(texts: tuple[str, ...]) -> MultiFernet:
    """The first key encrypts, every one decrypts, so that a key can be changed for another."""
    return MultiFernet(
        Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"core6.projects.tokens" + text.encode()).digest()))
        for text in texts
    )


def reset_api_token(project: "Project", user: User | None) -> None:
    """Give the locked project another `api_token`; the old one is dead at once."""
    before = project.api_token
    project.api_token = api_token()
    _save(project, user, change("api_token", before, project.api_token), "api_token")


def rotate_secret_token(project: "Project", user: User | None) -> None:
    """Give the locked project another secret token and keep the one before it as backup; an older backup is dead."""
    before, backup = project.secret_api_token, project.secret_api_token_backup
    project.secret_api_token, project.secret_api_token_backup = secret_token(), before
    after = {"secret_api_token": keys.mask(project.secret_api_token)}
    if before is None:
        entry = change("secret_api_token", {"secret_api_token": None}, after, action="created")
    else:
        old = {"secret_api_token": keys.mask(before), "secret_api_token_backup": _mask(backup)}
        entry = change("secret_api_token", old, {**after, "secret_api_token_backup": keys.mask(before)})
    _save(project, user, entry, "secret_api_token", "secret_api_token_backup")


def delete_secret_token_backup(project: "Project", user: User | None) -> None:
    """End the backup of the locked project's secret token; without one, nothing happens."""
    before = project.secret_api_token_backup
    if before is None:
        return
    project.secret_api_token_backup = None
    _save(project, user, change("secret_api_token_backup", keys.mask(before), None), "secret_api_token_backup")


def generate_conversations_public_token(project: "Project", user: User | None) -> None:
    """Give the locked project's conversations widget another token, beside its other settings."""
    before = (project.conversations_settings or {}).get("widget_public_token")
    token = api_token()
    project.conversations_settings = {**(project.conversations_settings or {}), "widget_public_token": token}
    entry = change("conversations_settings.widget_public_token", _mask(before), keys.mask(token))
    _save(project, user, entry, "conversations_settings")


def _mask(token: str | None) -> str | None:
    return token and keys.mask(token)


def _save(project: "Project", user: User | None, entry: Change, *fields: str) -> None:
    project.save(update_fields=[*fields, "updated_at"])
    log_updated(project, user, [entry])
