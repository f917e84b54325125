"""Whether a secret of a deployment could be guessed."""

import re
from typing import Final

#: The fewest characters of SECRET_KEY, of each of ENCRYPTION_KEYS, and of METRICS_TOKEN.
SHORTEST_SECRET_KEY: Final = 50
SHORTEST_ENCRYPTION_KEY: Final = 32
SHORTEST_METRICS_TOKEN: Final = 32
_PLACEHOLDER: Final = re.compile("(change|replace).?(me|this)|your.?secret|secret.?key|placeholder", re.IGNORECASE)


def weakness(secret: str, shortest: int) -> str | None:
    """Return why others could guess a secret, without telling it; None when they could not."""
    if secret.startswith("django-insecure-"):
        return "it begins with django-insecure-"
    if _PLACEHOLDER.search(secret):
        return "it is a placeholder"
    if len(secret) < shortest:
        return f"it has {len(secret)} characters, fewer than {shortest}"
    return "it has fewer than 5 distinct characters" if len(set(secret)) < 5 else None
