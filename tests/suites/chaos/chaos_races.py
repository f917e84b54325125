"""Sixteen clients want the same thing at once."""

import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.suites.chaos.clients import Call
from tests.suites.chaos.invariants import pages
from tests.suites.chaos.stage import TOTALS, Stage

THREADS = 16


def at_once(scene: Stage, method: str, path: str, body: Any, times: int = 1, **headers: str) -> list[Call]:
    """Send the same from sixteen threads that begin together; return the answers."""
    barrier = threading.Barrier(THREADS)
    calls: list[Call] = []

    def run(_: int) -> None:
        line = scene.line(calls)
        line.call("GET", "/_livez")
        barrier.wait(10)
        for _ in range(times):
            line.call(method, path, body, **headers)
        line.close()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(run, range(THREADS)))
    TOTALS.add(calls)
    return [call for call in calls if "_livez" not in call.what]


def test_one_role_name_is_taken_once(scene: Stage):
    with scene.survive("16 roles of one name", clients=2):
        for number in range(10):
            roles = f"/api/organizations/{scene.organization}/roles/"
            calls = at_once(scene, "POST", roles, {"name": f"Wanted {number}"})
            assert Counter(call.status for call in calls) == {201: 1, 400: THREADS - 1}
        line = scene.line()
        names = Counter(row["name"] for row in pages(line, roles))
        assert [names[f"Wanted {number}"] for number in range(10)] == [1] * 10
        line.close()


def test_each_rotation_gives_another_token(scene: Stage):
    with scene.survive("16 rotations of one project", clients=2):
        project = scene.path()
        for name, action in (("api_token", "reset_token"), ("secret_api_token", "rotate_secret_token")):
            calls = at_once(scene, "PATCH", f"{project}{action}/", {}, times=5)
            assert {call.status for call in calls} == {200}
            tokens = {call.body[name] for call in calls}
            assert len(tokens) == len(calls)
            after = scene.ask("GET", project)
            assert after[name] in tokens
        # Each rotation kept the one before it.
        assert after["secret_api_token_backup"] in tokens - {after["secret_api_token"]}


def test_one_idempotency_key_makes_one_row(scene: Stage):
    with scene.survive("16 requests of one Idempotency-Key", clients=2):
        path = scene.path("annotations")
        for number in range(10):
            key, body = uuid.uuid4().hex, {"content": f"the same {number}", "scope": "project"}
            calls = at_once(scene, "POST", path, body, times=3, Idempotency_Key=key)
            assert {call.status for call in calls} <= {201, 409}
            assert len({call.body["id"] for call in calls if call.status == 201}) == 1
        line = scene.line()
        contents = Counter(row["content"] for row in pages(line, path))
        assert [contents[f"the same {number}"] for number in range(10)] == [1] * 10
        line.close()
