"""When `serve` refuses a lab."""

from typing import Final

from django.conf import settings
from django.core.management import CommandError

from core6.management.environment import shown
from core6.security import exposure

_SHORTEST_TOKEN: Final = 32


def check_lab(*, is_lab: bool, host: str) -> None:
    """Refuse a lab that its own directory does not belong to, or that strangers could reach without a token."""
    if not is_lab:
        raise CommandError(f"{settings.DATA_DIRECTORY} was made by `serve --lab`: add --lab, or set CORE6_DATA_DIR")
    token, name = settings.LAB_TOKEN, shown("LAB_TOKEN")
    if token and len(token) < _SHORTEST_TOKEN:
        raise CommandError(f"{name} is too short: use {_SHORTEST_TOKEN} random characters or more")
    if not token and (settings.IS_BEHIND_PROXY or not exposure.is_loopback(host)):
        raise CommandError(f"others can reach this lab, and could wipe it: set {name}, or listen on 127.0.0.1 alone")
