"""The environment variables that are settings, with their defaults; each is read and checked here.

`CORE6_` before a name works everywhere and wins. Names without it are read in a checkout alone, where they are ours: a
wheel is run beside other programs, whose DATABASE_URL and SECRET_KEY are in the same environment.
"""

import os
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

from core6.terminal.program import IS_CHECKOUT

_PREFIX: Final = "CORE6_"

_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off", "")


def _boolean(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ValueError("use true or false")
    return text.lower() in _TRUE


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise ValueError("use a whole number from 1")
    return int(text)


def _count(text: str) -> int:
    """Return a number; 0 is no limit."""
    return 0 if text == "0" else _positive(text)


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
    "EVENTS_PER_MINUTE": (_count, "0"),
    "MOST_EVENTS": (_count, "0"),
    "EVENT_RETENTION_DAYS": (_count, "0"),
    "METRICS_TOKEN": (str, ""),
    "LAB_TOKEN": (str, ""),
}


def read(name: str) -> Any:
    """Return the value of a setting; raises ImproperlyConfigured with one sentence."""
    reader, default = ENVIRONMENT[name]
    used = next((each for each in names_of(name) if each in os.environ), None)
    text = os.environ[used] if used else default
    try:
        return reader(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"{used or name}={text}: {error}") from error


def names_of(name: str) -> list[str]:
    """Return the variables that are read for a setting; the first one that is set wins."""
    prefixed = name if name.startswith(_PREFIX) else f"{_PREFIX}{name}"
    return list(dict.fromkeys([prefixed, name])) if IS_CHECKOUT else [prefixed]


def shown(name: str) -> str:
    """Return the name of a setting as people write it here, for messages."""
    return name if IS_CHECKOUT else names_of(name)[0]


def forget_postgres_variables() -> None:
    """Remove what libpq reads from the environment, such as PGPASSWORD: it is of another program's database."""
    for name in [each for each in os.environ if each.startswith("PG")]:
        del os.environ[name]
