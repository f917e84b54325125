"""A check whether the server can be reached from other machines without a proxy."""

from ipaddress import ip_address
from typing import Final

from django.conf import settings

ADVICE: Final = "Listen on 127.0.0.1, or put a proxy with TLS in front and set IS_BEHIND_PROXY=true."


def warning(host: str) -> str | None:
    """Return a warning if the server listens on a public `host` without a proxy, else None; ADVICE is the solution."""
    if settings.IS_BEHIND_PROXY or _is_loopback(host):
        return None
    return f"The server listens on {host} without a proxy: keys and data cross the network as plain text"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
