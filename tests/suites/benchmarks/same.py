"""Whether the peers answer and log what we do: every field of it, in the same order, and the same refusals."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import jwt

from core6.api.ids import CURRENT
from tests.suites.benchmarks.data import World, logged, take_back
from tests.suites.benchmarks.servers import Running
from tests.suites.benchmarks.work import Lane

#: By method: the status of an answer, and what a written row has of its own.
_STATUS = {"GET": 200, "POST": 201, "PATCH": 200}
_OWN = {"GET": (), "POST": ("id", "created_at", "updated_at"), "PATCH": ("updated_at",)}


def compare(reference: Running, other: Running, lane: Lane, world: World, directory: Path) -> None:
    """Send both the same requests; raises AssertionError at the first field that differs."""
    # The project that `@current` means depends on who calls.
    keys = (world.key, world.stranger) if CURRENT in lane.path else (world.key,)
    for path, key in product(lane.examples, keys):
        answers = []
        for server in (reference, other):
            answers.append(_answer(server, lane, path, key))
            if lane.body is not None:
                answers[-1] = {"answer": answers[-1], "logged": logged(directory, world)}
                take_back(directory, world)
        difference = _difference(answers[0], answers[1], "answer")
        assert difference is None, f"{path}: {other.name} is not {reference.name}: {difference}"


def check_refusals(server: Running, lane: Lane, world: World) -> None:
    """Send requests by keys that must not reach the project."""
    refused = world.refused if CURRENT in lane.path else {**world.refused, world.stranger: 403}
    for key, expected in refused.items():
        answer = server.ask(lane.examples[0], key, lane.body, lane.method)
        assert answer.status == expected, f"{server.name} let pass a key: {answer.status}, expected {expected}"


def _answer(server: Running, lane: Lane, path: str, key: str) -> Any:
    answer = server.ask(path, key, lane.body, lane.method)
    assert answer.status == _STATUS[lane.method], (server.name, path, answer.status, answer.body[:500])
    content = answer.headers["content-type"].partition(";")[0]
    assert content == "application/json", (server.name, content)
    body = json.loads(answer.body.replace(server.url.encode(), b"http://the-server"))
    for name in _OWN[lane.method]:
        body[name] = type(body[name]).__name__
    if "live_events_token" in body:  # signed anew each time
        claims = jwt.decode(body["live_events_token"], options={"verify_signature": False})
        body["live_events_token"] = {**claims, "exp": type(claims["exp"]).__name__}
    return body


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
