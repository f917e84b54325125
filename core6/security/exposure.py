"""Where a listening server is reached, and a check whether other machines can do so without a proxy."""

from ipaddress import ip_address
from typing import Final

from django.conf import settings

ADVICE: Final = "Listen on 127.0.0.1, or put a proxy with TLS in front and set IS_BEHIND_PROXY=true."


def warning(host: str) -> str | None:
    """Return a warning if the server listens on a public `host` without a proxy, else None; ADVICE is the solution."""
    if settings.IS_BEHIND_PROXY or _is_loopback(host):
        return None
    return f"The server listens on {host} without a proxy: keys and data cross the network as plain text"


def reachable(host: str) -> str:
    """Return the host of a URL that reaches a server listening on `host`, which may be a wildcard."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"[{name}]" if ":" in name else name


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
