"""What the server received: the last requests, without keys and secrets."""

import json
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from django.utils.dateparse import parse_datetime

from core6.lab.faults import Fault
from core6.lab.refusals import Refused
from core6.security.masking import masked, masked_value

#: The most requests that are kept, and the most characters of each body.
MOST: Final = 1000
_LONGEST_BODY: Final = 10_000
#: In bytes. A larger body is shown as a text, whose beginning is masked.
_LARGEST_JSON: Final = 100_000
#: Their whole values are secret, whatever they say.
_COOKIES: Final = frozenset({"cookie", "cookie2"})
_FILTERS: Final = ("path", "method", "key", "since")


class Journal:
    """The requests, oldest first; when there are too many, the oldest are dropped and counted."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque()
        self._ids = count(1)
        self._dropped = 0

    def add(
        self,
        *,
        method: str,
        path: str,
        query: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        key: str | None,
        status: int | None,
        milliseconds: float,
        fault: Fault | None,
    ) -> None:
        """Note a request. `key` is the label of its key; `status` None is a connection that was cut."""
        self._entries.append(
            {
                "id": next(self._ids),
                "at": datetime.now(UTC).isoformat(),
                "method": method,
                "path": masked(path),
                "query": masked(query),
                "headers": _headers(headers),
                "body": _body(body),
                "key": key,
                "status": status,
                "ms": round(milliseconds, 1),
                "fault": fault.id if fault else None,
            }
        )
        if len(self._entries) > MOST:
            self._entries.popleft()
            self._dropped += 1

    def find(self, query: dict[str, str]) -> dict[str, Any]:
        """Return the requests that match: `path` is a glob, `since` a time or the id of the last one that is known."""
        for name in query:
            if name not in _FILTERS:
                raise Refused(f"Use {', '.join(_FILTERS)}.", name)
        pattern = Fault(0, None, query.get("path") or "*", None, None)
        method, key, since = query.get("method", "").upper(), query.get("key"), _since(query.get("since"))
        found = [
            each
            for each in self._entries
            if pattern.matches(each["method"], each["path"], None)
            and (not method or each["method"] == method)
            and (key is None or each["key"] == key)
            and (each["id"] > since if isinstance(since, int) else datetime.fromisoformat(each["at"]) >= since)
        ]
        return {"count": len(found), "dropped": self._dropped, "results": found}

    def clear(self) -> None:
        """Forget all; ids go on, since a client may know the last one."""
        self._entries.clear()
        self._dropped = 0


def _since(text: str | None) -> int | datetime:
    if not text:
        return 0
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    try:
        found = parse_datetime(text.replace(" ", "+"))  # a plus sign that was not escaped
    except ValueError:
        found = None
    if found is None:
        raise Refused("Send a time such as 2026-01-01T00:00:00Z, or the id of a request.", "since")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _headers(given: Iterable[tuple[str, str]]) -> Any:
    """Return headers masked; those that were sent more than once are joined."""
    joined: dict[str, str] = {}
    for name, value in given:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return masked_value({name: "…" if name.lower() in _COOKIES else value for name, value in joined.items()})


def _body(content: bytes) -> Any:
    """Return a body as JSON if it is that, else as text; both masked, and cut."""
    if not content:
        return None
    text = content[: 4 * _LONGEST_BODY].decode(errors="replace")
    if len(content) <= _LARGEST_JSON:
        try:
            value = masked_value(json.loads(content))
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (ValueError, RecursionError):
            pass
        else:
            if len(text) <= _LONGEST_BODY:
                return value
    text = masked(text)
    return text if len(text) <= _LONGEST_BODY else f"{text[:_LONGEST_BODY]}…"
