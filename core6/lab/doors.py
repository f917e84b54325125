"""Who may use the lab: programs on this machine, or those with its token; never a page in somebody's browser."""

import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host

from core6.lab.refusals import Refused

_TYPES: Final = ("application/json", "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
#: What proxies add.
_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via")


def check(headers: Mapping[str, str], *, has_body: bool) -> None:
    """Raise Refused unless the request comes from a program that may use the lab."""
    if "Origin" in headers or headers.get("Sec-Fetch-Site", "none") != "none":
        raise Refused("The lab does not answer pages of a browser: send no Origin.", status=403, code="not_allowed")
    if not validate_host(_host(headers), settings.ALLOWED_HOSTS):
        raise Refused("Invalid Host header: add the host to ALLOWED_HOSTS.", code="bad_request")
    if settings.LAB_TOKEN:
        given = headers.get("Authorization", "").encode(errors="replace")
        if not hmac.compare_digest(given, f"Bearer {settings.LAB_TOKEN}".encode()):
            raise Refused(
                "Send LAB_TOKEN as bearer token.",
                status=401,
                code="not_authenticated",
                headers={"WWW-Authenticate": "Bearer"},
            )
    elif any(name in headers for name in _FORWARDED):
        detail = "The request came through a proxy: set LAB_TOKEN, and send it as bearer token."
        raise Refused(detail, status=403, code="not_allowed")
    content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if (has_body or content_type) and content_type not in _TYPES:
        raise Refused("Send JSON or YAML, with its Content-Type.", status=415, code="unsupported_media_type")


def _host(headers: Mapping[str, str]) -> str:
    """Return the name in the header without the port; "" for what is no host."""
    try:
        name = urlsplit(f"//{headers.get('Host', '')}").hostname or ""
    except ValueError:
        return ""
    return f"[{name}]" if ":" in name else name
