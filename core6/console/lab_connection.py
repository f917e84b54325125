"""Reads the state of the lab of `serve --lab` from its process, which holds it in memory, over HTTP."""

import json
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings

from core6.security import exposure

_NAMES: Final = ("clock", "strict", "faults", "requests")
_TIMEOUT_SECONDS: Final = 3


class NotAnswering(Exception):
    """The lab does not answer, or refuses; the text is a sentence for people."""


def read() -> dict[str, Any]:
    """Return what the lab answers at `/_lab/clock`, `strict`, `faults` and `requests`, by these names.

    Raises NotAnswering.
    """
    if not settings.LAB_URL:
        raise NotAnswering("This process was not started by `serve --lab`, and does not know where the lab is.")
    try:
        # Not urllib: that would use a proxy of the environment.
        with closing(HTTPConnection(urlsplit(settings.LAB_URL).netloc, timeout=_TIMEOUT_SECONDS)) as connection:
            return {name: _get(connection, name) for name in _NAMES}
    except (OSError, HTTPException, ValueError) as error:
        raise NotAnswering(f"The lab does not answer at {settings.LAB_URL}: load this page again.") from error


def _get(connection: HTTPConnection, name: str) -> Any:
    headers = {"Host": exposure.allowed_host(settings.LAB_URL)}
    if settings.LAB_TOKEN:
        headers["Authorization"] = f"Bearer {settings.LAB_TOKEN}"
    connection.request("GET", f"/_lab/{name}", headers=headers)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise NotAnswering(f"The lab refuses to show its {name}: it answers {response.status}.")
    return json.loads(body)
