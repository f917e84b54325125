"""Texts of a report that are safe to show: one line each, without secrets."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from core6.database import data_directory
from core6.security import masking

_LONGEST: Final = 300


def error_line(error: Exception) -> str:
    """Return the text of an error, shortened and masked."""
    return shortened(str(error)) or "no reason given"


def masked_line(text: str, *, shortest: int = 8) -> str:
    """Return a text as one line, without secrets and control characters.

    Secrets shorter than `shortest` stay: a short word may occur in our own sentences, and masking it would reveal it.
    """
    text = masking.without_secrets(text, (secret for secret in _secrets() if len(secret) >= shortest))
    text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return text if len(text) <= _LONGEST * 2 else f"{text[: _LONGEST * 2]}…"


def _secrets() -> list[str]:
    """Return every secret that this process knows of, longest first: one may be part of another."""
    known = {secret_key(), settings.DATABASE_URL, settings.REPLICA_URL}
    for given in settings.DATABASES.values():
        # A password that is also the name of the database or of the user cannot be hidden: these are shown.
        known |= {str(given.get("PASSWORD") or "")} - {given["NAME"], given["USER"]}
    known |= {*settings.ENCRYPTION_KEYS, settings.METRICS_TOKEN}
    if settings.IS_EMBEDDED:
        for name in ("secret_key", "demo_key", "demo_password", "pgpass"):
            with suppress(OSError, data_directory.Unusable):
                text = data_directory.read_private(settings.DATA_DIRECTORY / name) or ""
                known.add(text.rpartition(":")[2])
    return sorted(known, key=len, reverse=True)


def secret_key() -> str:
    """Return the secret key; empty before the first start has made it."""
    try:
        return str(settings.SECRET_KEY)  # it may be lazy
    except ImproperlyConfigured:
        return ""


def shortened(text: str | None) -> str:
    """Return the beginning of a text that another program wrote."""
    # Masked before it is cut: half a secret would not be recognized.
    line = masked_line(text or "", shortest=4)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def duration(seconds: float) -> str:
    """Return a number of seconds as people say it, such as `5 min`."""
    for length, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def and_more(total: int, shown: int) -> Iterator[str]:
    """Yield how many more there are than are shown, if there are."""
    if total > shown:
        yield f"and {total - shown} more"
