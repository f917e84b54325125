"""The environment variables that are settings, with their defaults; each is read and checked here."""

import os
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off", "")


def _boolean(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ValueError("use true or false")
    return text.lower() in _TRUE


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise ValueError("use a whole number from 1")
    return int(text)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _level(text: str) -> str:
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        raise ValueError("use DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return text.upper()


#: Every setting: its reader and its default. README's table lists the same names (a test compares them).
ENVIRONMENT: Final[dict[str, tuple[Any, str]]] = {
    "DATABASE_URL": (str, ""),
    "REPLICA_URL": (str, ""),
    "IS_BEHIND_POOLER": (_boolean, "false"),
    "CORE6_DATA_DIR": (str, ""),
    "SECRET_KEY": (str, ""),
    "ENCRYPTION_KEYS": (_names, ""),
    "DEBUG": (_boolean, "false"),
    "ALLOWED_HOSTS": (_names, "localhost,127.0.0.1,[::1]"),
    "CORS_ALLOWED_ORIGINS": (_names, ""),
    "CSRF_TRUSTED_ORIGINS": (_names, ""),
    "IS_BEHIND_PROXY": (_boolean, "false"),
    "WEB_WORKERS": (_positive, str(max(2, min(4, os.cpu_count() or 2)))),
    "RATE_LIMIT_ENABLED": (_boolean, "false"),
    "COHORT_REFRESH_MINUTES": (_positive, "15"),
    "COHORT_CALCULATION_SECONDS": (_positive, "600"),
    "CALCULATION_HISTORY": (_positive, "100"),
    "ACTIVITY_DAYS": (_positive, "400"),
    "IDEMPOTENCY_HOURS": (_positive, "24"),
    "IDEMPOTENCY_MB": (_positive, "50"),
    "LOG_LEVEL": (_level, "WARNING"),
    "METRICS_TOKEN": (str, ""),
}


def read(name: str) -> Any:
    """Return the value of a setting; raises ImproperlyConfigured with one sentence."""
    reader, default = ENVIRONMENT[name]
    text = os.environ.get(name, default)
    try:
        return reader(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={text}: {error}") from error
