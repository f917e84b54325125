"""The limit of events of a server that others can reach (E14)."""

import os
from typing import Final

from django.conf import settings

from core6.management.environment import names_of
from core6.security import exposure

#: Of a project, and of an address.
_EVENTS_PER_MINUTE: Final = "100000"


def limits_of_events(host: str) -> dict[str, str]:
    """Return the environment of web processes with the limit; nothing on a loopback address, or if one is set."""
    is_set = any(name in os.environ for name in names_of("EVENTS_PER_MINUTE"))
    if is_set or (exposure.is_loopback(host) and not settings.IS_BEHIND_PROXY):
        return {}
    return {"CORE6_EVENTS_PER_MINUTE": _EVENTS_PER_MINUTE}
