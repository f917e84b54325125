"""Which addresses are for programs: they get JSON, and none of what pages need."""

import re
from typing import Final

#: Ingestion (core6/capture/urls.py): its clients send no key, and any origin may call it.
_INGESTION: Final = re.compile(
    r"/(?:batch|e|i/v0/e|i/v1/analytics/events|capture|track|engage|s|flags|decide|array/[^/]+/config)/?"
)


def is_ingestion(path: str) -> bool:
    """Return whether a path is one that SDKs send events to, or that they read beside it."""
    return bool(_INGESTION.fullmatch(path))


def is_for_programs(path: str) -> bool:
    """Return whether a path is of the API or of ingestion."""
    return path.startswith("/api/") or is_ingestion(path)
