"""Whether the peers answer what we answer: every field of it, in the same order, and the same refusals."""

import json
from typing import Any

import jwt

from tests.benchmarks.data import World
from tests.benchmarks.servers import Running

#: What a created row has of its own.
_OWN = ("id", "created_at", "updated_at")


def compare(reference: Running, other: Running, path: str, key: str, body: str | None = None) -> None:
    """Ask both the same; raises AssertionError at the first field that differs."""
    ours, theirs = (_told(server, path, key, body) for server in (reference, other))
    difference = _difference(ours, theirs, "answer")
    assert difference is None, f"{path}: {other.name} is not {reference.name}: {difference}"


def check_refusals(server: Running, path: str, world: World, body: str | None = None) -> None:
    """Ask with keys that must not reach the project."""
    for key, expected in world.refused.items():
        answer = server.ask(path, key, body)
        assert answer.status == expected, f"{server.name} let pass a key: {answer.status}, expected {expected}"


def _told(server: Running, path: str, key: str, body: str | None) -> Any:
    answer = server.ask(path, key, body)
    assert answer.status == (200 if body is None else 201), (server.name, path, answer.status, answer.body[:500])
    content = answer.headers["content-type"].partition(";")[0]
    assert content == "application/json", (server.name, content)
    told = json.loads(answer.body.replace(server.url.encode(), b"http://the-server"))
    for name in _OWN if body is not None else ():
        told[name] = type(told[name]).__name__
    if "live_events_token" in told:  # signed anew each time
        claims = jwt.decode(told["live_events_token"], options={"verify_signature": False})
        told["live_events_token"] = {**claims, "exp": type(claims["exp"]).__name__}
    return told


def _difference(one: Any, other: Any, path: str) -> str | None:
    if isinstance(one, dict) and isinstance(other, dict):
        if list(one) != list(other):
            return f"{path} has the keys {list(other)}, expected {list(one)}"
        pairs = [(f"{path}.{name}", one[name], other[name]) for name in one]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(f"{path}[{i}]", *both) for i, both in enumerate(zip(one, other, strict=True))]
    else:
        return None if (type(one), one) == (type(other), other) else f"{path} is {other!r}, expected {one!r}"
    return next((found for at, a, b in pairs if (found := _difference(a, b, at))), None)
