"""Checks of the strength of a deployment's secrets."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

_PLACEHOLDER: Final = re.compile("(change|replace).?(me|this)|your.?secret|secret.?key|placeholder", re.IGNORECASE)


def weak_secrets(*, secret_key: str, encryption_keys: Sequence[str], metrics_token: str) -> Iterator[tuple[str, str]]:
    """Yield the setting of each weak secret with the reason; secrets that are not set are skipped."""
    for name, shortest, secrets in (
        ("SECRET_KEY", 50, [secret_key]),
        ("ENCRYPTION_KEYS", 32, encryption_keys),
        ("METRICS_TOKEN", 32, [metrics_token]),
    ):
        for secret in secrets:
            if secret and (why := _weakness(secret, shortest)):
                yield name, why


def _weakness(secret: str, shortest: int) -> str | None:
    """Return why a secret is weak, without showing it; None if it is not."""
    if secret.startswith("django-insecure-"):
        return "it begins with django-insecure-"
    if _PLACEHOLDER.search(secret):
        return "it is a placeholder"
    if len(secret) < shortest:
        return f"it has {len(secret)} characters, fewer than {shortest}"
    return "it has fewer than 5 distinct characters" if len(set(secret)) < 5 else None
