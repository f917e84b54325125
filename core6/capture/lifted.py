"""Properties of events that are properties of their persons, too (E6)."""

import re
from typing import Any, Final

from core6.capture.envelope import Incoming

_OF_CAMPAIGNS: Final = (
    "utm_source utm_medium utm_campaign utm_content utm_term gad_source mc_cid gclid gclsrc dclid gbraid wbraid fbclid"
    " msclkid twclid li_fat_id igshid ttclid rdt_cid irclid _kx epik qclid sccid"
).split()
_OF_OS: Final = ("$os", "$os_version")
_OF_CLIENTS: Final = (
    *("$browser", "$browser_version", "$device_type", "$current_url", "$pathname", "$referrer", "$referring_domain"),
    *("$raw_user_agent", "$app_build", "$app_name", "$app_namespace", "$app_version"),
    *("$screen_height", "$screen_width", "$viewport_height", "$viewport_width"),
)
_NAMES: Final = frozenset((*_OF_CAMPAIGNS, *_OF_OS, *_OF_CLIENTS))
_CAMPAIGN: Final = re.compile(r"utm_\w+")


def properties_of(event: Incoming) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what an event sets, and what it sets once, of its person; its own `$set` and `$set_once` win."""
    if event.event == "$groupidentify":
        return {}, {}
    names = [name for name in event.properties if name in _NAMES or _CAMPAIGN.fullmatch(name)]
    if event.properties.get("$is_server") is True:
        names = [name for name in names if name not in _OF_OS]
    found = {name: event.properties[name] for name in names if event.properties[name] is not None}
    initial = {f"$initial_{name.removeprefix('$')}": value for name, value in found.items()}
    return {**found, **event.sets}, {**initial, **event.sets_once}
