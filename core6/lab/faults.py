"""Faults that a test orders: what happens to the next requests that match."""

import re
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from itertools import count
from json import dumps
from typing import Any, Final
from urllib.parse import unquote

from core6.lab.refusals import Refused

_KINDS: Final = ("answer", "delay_ms", "cut", "truncate_bytes")
_MOST_FAULTS: Final = 1000
_LONGEST_DELAY: Final = 600_000
#: They say how the connection carries the body, which is the part of `truncate_bytes` and `cut`.
_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
#: RFC 9110, 5.6.2.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass
class Answer:
    """A response that is sent instead of the server's."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Fault:
    """One fault. `times` counts down to 0; None is without end. Exactly one of the last four is set."""

    id: int
    method: str | None
    path: str
    key: str | None
    times: int | None
    answer: Answer | None = None
    delay_ms: int | None = None
    cut: bool | None = None
    truncate_bytes: int | None = None

    def matches(self, method: str, path: str, key: str | None) -> bool:
        """Return whether a request meets it.

        `path` is without the query; escapes and the final slash make no difference.
        """
        if self.method not in (None, method) or self.key not in (None, key):
            return False
        bare = path.rstrip("/")
        forms = (path, bare, f"{bare}/")
        return any(fnmatchcase(form, self.path) for form in (*forms, *map(unquote, forms)))

    def shown(self) -> dict[str, Any]:
        """Return it as JSON, without what is not set."""
        return {name: value for name, value in asdict(self).items() if value is not None or name == "times"}


class Faults:
    """The faults in their order. All calls come from one event loop, so that `times` is exact."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._ids = count(1)

    def add(self, given: dict[str, Any]) -> Fault:
        """Add a fault as a test describes it; raises Refused."""
        if len(self._faults) >= _MOST_FAULTS:
            raise Refused(f"There are {_MOST_FAULTS:,} faults: delete them first.", status=409, code="conflict")
        fault = _parse(given, next(self._ids))
        self._faults.append(fault)
        return fault

    @property
    def need_key(self) -> bool:
        """Whether a fault is about the requests of one key."""
        return any(fault.key is not None for fault in self._faults)

    def take(self, method: str, path: str, key: str | None) -> Fault | None:
        """Return the first fault that a request meets, and count that; a spent one is forgotten."""
        fault = next((each for each in self._faults if each.matches(method, path, key)), None)
        if fault is not None and fault.times is not None:
            fault.times -= 1
            if fault.times == 0:
                self._faults.remove(fault)
        return fault

    def all(self) -> list[dict[str, Any]]:
        """Return what is left of each fault."""
        return [fault.shown() for fault in self._faults]

    def clear(self) -> None:
        """Forget all."""
        self._faults.clear()


def _parse(given: dict[str, Any], number: int) -> Fault:
    known = ("method", "path", "key", "times", *_KINDS)
    for name in given:
        if name not in known:
            raise Refused(f"A fault has no {name}: it has {', '.join(known)}.", name)
    kinds = [name for name in _KINDS if given.get(name) is not None]
    if len(kinds) != 1:
        raise Refused(f"A fault has exactly one of {', '.join(_KINDS)}.", kinds[1] if kinds else None)
    method = given.get("method")
    if method is not None and (not isinstance(method, str) or method.upper() not in _METHODS):
        raise Refused(f"Use one of {', '.join(_METHODS)}.", "method")
    times = given.get("times", 1)
    fault = Fault(
        number,
        method.upper() if method else None,
        _text(given, "path") or "*",
        _text(given, "key"),
        None if times is None else _number(times, "times", 1, 1_000_000),
    )
    value, name = given[kinds[0]], kinds[0]
    if name == "answer":
        fault.answer = _answer(value)
    elif name == "cut":
        if value is not True:
            raise Refused("Use true.", name)
        fault.cut = True
    elif name == "delay_ms":
        fault.delay_ms = _number(value, name, 1, _LONGEST_DELAY)
    else:
        fault.truncate_bytes = _number(value, name, 0, 2**31)
    return fault


def _answer(given: Any) -> Answer:
    if not isinstance(given, dict) or given.keys() - {"status", "headers", "body"}:
        raise Refused("An answer has status, headers and body.", "answer")
    headers = given.get("headers", {})
    if not isinstance(headers, dict) or not all(_is_header(*pair) for pair in headers.items()):
        raise Refused("Headers are texts by their names, in one line each.", "answer.headers")
    if framing := [name for name in headers if name.lower() in _FRAMING]:
        raise Refused("The server sets this header itself.", f"answer.headers.{framing[0]}")
    body = given.get("body")
    try:
        dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:  # YAML has dates, and bytes
        raise Refused("A body is a text, or JSON.", "answer.body") from error
    return Answer(_number(given.get("status"), "answer.status", 200, 599), headers, body)


def _is_header(name: Any, value: Any) -> bool:
    if not isinstance(name, str) or not isinstance(value, str):
        return False
    return bool(_TOKEN.fullmatch(name)) and value.isprintable()


def _text(given: dict[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise Refused("Use a text.", name)
    return value


def _number(value: Any, name: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Refused(f"Use a whole number from {least:,} to {most:,}.", name)
    return value
