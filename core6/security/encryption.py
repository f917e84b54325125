"""Encryption at rest, with ENCRYPTION_KEYS, of secrets that must stay readable."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models.functions import Cast

#: Part of every derived key; a change would make stored secrets unreadable.
_SALT = b"core6.projects.tokens"


def encrypt(text: str) -> str:
    """Return a secret in its encrypted form."""
    return _fernet(_encryption_keys()).encrypt(text.encode()).decode()


def decrypt(stored: str) -> str:
    """Return a decrypted secret; raises ImproperlyConfigured if neither ENCRYPTION_KEYS nor SECRET_KEY fits."""
    try:
        return _fernet(_encryption_keys()).decrypt(stored).decode()
    except (InvalidToken, ValueError) as error:  # encrypted with another key, or not encrypted
        raise ImproperlyConfigured(
            "a stored secret cannot be decrypted: add the key that it was written with to ENCRYPTION_KEYS"
        ) from error


class EncryptedField(models.TextField):  # type: ignore[type-arg]  # not subscriptable at run time
    """Text that is readable in Python and encrypted in the database."""

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None else encrypt(value)

    def from_db_value(self, value: str | None, *_: object) -> str | None:
        return value if value is None else decrypt(value)


def encrypted_fields() -> Iterator[tuple[type[models.Model], list[str]]]:
    """Yield each model that has encrypted fields, with their names."""
    for model in apps.get_models():
        names = [field.name for field in model._meta.local_fields if isinstance(field, EncryptedField)]
        if names:
            yield model, names


def stored_secrets(model: type[models.Model], name: str) -> Iterator[tuple[Any, str]]:
    """Yield the primary key and the stored text of each row with a secret in this field, in order."""
    rows = model._base_manager.annotate(stored_text=Cast(name, models.TextField())).exclude(stored_text=None)
    yield from rows.order_by("pk").values_list("pk", "stored_text").iterator()


def signing_key(purpose: str) -> bytes:
    """Return a key for one purpose, from which neither SECRET_KEY nor other keys can be derived."""
    return hmac.digest(settings.SECRET_KEY.encode(), f"core6.{purpose}".encode(), "sha256")


def _encryption_keys() -> tuple[str, ...]:
    # SECRET_KEY always decrypts: secrets from before ENCRYPTION_KEYS was set stay readable.
    return (*settings.ENCRYPTION_KEYS, settings.SECRET_KEY)


@lru_cache(maxsize=4)
def _fernet(texts: tuple[str, ...]) -> MultiFernet:
    """Return a cipher: the first key encrypts, all keys decrypt, so that keys can be rotated."""
    return MultiFernet(
        Fernet(base64.urlsafe_b64encode(hashlib.sha256(_SALT + text.encode()).digest())) for text in texts
    )
