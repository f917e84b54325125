"""The route of a request, for logs and metrics: the pattern of its address, never the address itself."""

import re
from functools import cache
from typing import Final

from django.conf import settings
from django.http import HttpRequest

#: The route of every address without a view, and the name of the pattern that catches those below `/api/`.
UNMATCHED: Final = "unmatched"
_PLACE: Final = re.compile(r"\(\?P<(\w+)>[^)]*\)|<(?:\w+:)?(\w+)>")


def route_of(request: HttpRequest) -> str:
    """Return the route of a request that has been answered, such as `/api/projects/:project_id/annotations/:id/`.

    Their number is bounded by the number of patterns, and none contains a key, which an address might.
    """
    match = request.resolver_match
    if match is None:
        # Files are answered before any pattern is looked at.
        is_file = request.path_info.startswith(settings.STATIC_URL)
        return f"{settings.STATIC_URL}:path" if is_file else UNMATCHED
    return UNMATCHED if match.url_name == UNMATCHED else readable(match.route)


@cache
def readable(pattern: str) -> str:
    """Return the pattern of an address as people write it: `/api/projects/:project_id/annotations/:id/`."""
    text = _PLACE.sub(lambda found: f":{found[1] or found[2]}", pattern)
    return "/" + text.replace("^", "").replace("/?$", "/").removesuffix("$")
