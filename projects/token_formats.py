"""The formats of a project's tokens."""

import secrets

from core6.accounts import keys


def api_token() -> str:
    """Return a new project token: `phc_` and base62 text of 256 random bits."""
    return keys.token("phc_", 256)


def secret_token() -> str:
    """Return a new secret token: `phs_` and base62 text of 280 random bits."""
    return keys.token("phs_", 280)


def widget_token() -> str:
    """Return a new token of enabled conversations: 43 URL-safe characters without a prefix."""
    return secrets.token_urlsafe(32)
