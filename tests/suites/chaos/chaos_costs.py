"""Requests that cost much, one after the other, while others are answered within a second."""

import threading
from typing import Final

import psutil
import pytest

from tests.serving.test_cost import BODIES, MB, send
from tests.suites.chaos.chaos_slow_clients import Others
from tests.suites.chaos.stage import KEY, Stage

#: So many send at once what costs most.
SENDERS: Final = 2
#: How much more memory all web processes may take, in bytes.
MOST_MEMORY: Final = 200 * MB * SENDERS


def memory(processes: list[psutil.Process]) -> int:
    return sum(each.memory_info().rss for each in processes)


@pytest.mark.parametrize("key", [KEY, "phx_unknown"], ids=["a caller", "a stranger"])
def test_others_are_answered_meanwhile(scene: Stage, key: str):
    web = scene.server.web_processes()
    project = scene.path(project="Doomed")
    addresses = [("POST", f"{project}annotations/"), ("POST", f"{project}cohorts/"), ("PATCH", project)]
    scene.ask("GET", project)
    before, statuses = memory(web), set[int]()
    bodies = [(make(), content_type) for make, content_type in BODIES.values()]

    def send_all(place: int) -> None:
        first = place * len(bodies) // SENDERS  # each begins at another kind
        for body, content_type in bodies[first:] + bodies[:first]:
            for method, path in addresses:
                statuses.add(send(scene.server, method, path, body, content_type, key))

    with Others(scene).waiting():
        senders = [threading.Thread(target=send_all, args=(number,)) for number in range(SENDERS)]
        for each in senders:
            each.start()
        for each in senders:
            each.join()
    grown = memory(web) - before
    print(f"memory +{grown // MB} MB, statuses {sorted(statuses)}")
    assert {each for each in statuses if each >= 500} <= {503}
    assert grown < MOST_MEMORY
