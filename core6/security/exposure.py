"""Where a listening server is reached, and a check whether other machines can do so without a proxy."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

ADVICE: Final = "Listen on 127.0.0.1, or put a proxy with TLS in front and set IS_BEHIND_PROXY=true."


def warning(host: str) -> str | None:
    """Return a warning if the server listens on a public `host` without a proxy, else None; ADVICE is the solution."""
    if settings.IS_BEHIND_PROXY or is_loopback(host):
        return None
    return f"The server listens on {host} without a proxy: keys and data cross the network as plain text"


def reachable(host: str) -> str:
    """Return the host of a URL that reaches a server listening on `host`, which may be a wildcard."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"[{name}]" if ":" in name else name


def host_header(url: str) -> str:
    """Return the option of curl that names an allowed host, if the host of `url` is not allowed; else nothing."""
    name = allowed_host(url)
    return "" if name == _host(url) else f'-H "Host: {name}" '


def allowed_host(url: str) -> str:
    """Return the host of `url` if requests may name it, else the first host that they may name."""
    allowed, name = settings.ALLOWED_HOSTS, _host(url)
    return name if not allowed or "*" in allowed or name in allowed else allowed[0].removeprefix(".")


def _host(url: str) -> str:
    return urlsplit(url).netloc.rsplit(":", 1)[0]


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a server that listens on `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
