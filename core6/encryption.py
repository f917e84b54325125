"""Secrets that must stay readable, encrypted at rest with ENCRYPTION_KEYS."""

import base64
import hashlib
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

#: Part of every key that is made; another would make what is stored unreadable.
_SALT = b"core6.projects.tokens"


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
        Fernet(base64.urlsafe_b64encode(hashlib.sha256(_SALT + text.encode()).digest())) for text in texts
    )
