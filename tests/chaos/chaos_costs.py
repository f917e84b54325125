"""Requests that cost much, one after the other: others are answered within a second meanwhile."""

import threading
import time
from collections.abc import Iterator
from typing import Final

import psutil
import pytest

from tests.management.places import place
from tests.management.serving import Serve, serving
from tests.serving.test_cost import BODIES, MB, addresses, send

#: So many send at once what costs most.
SENDERS: Final = 2
#: Seconds and bytes: what an answer to others takes, and what all web processes need beyond what they had.
LONGEST: Final = 1.0
MOST_MEMORY: Final = 200 * MB * SENDERS


class Others:
    """Somebody who reads all the time."""

    def __init__(self, server: Serve) -> None:
        self.server, self.longest, self.statuses = server, 0.0, set[int]()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def _read(self) -> None:
        while not self._is_over.wait(0.05):
            began = time.monotonic()
            status, _ = self.server.call("GET", self.server.annotations)
            self.longest = max(self.longest, time.monotonic() - began)
            self.statuses.add(status)

    def __enter__(self) -> "Others":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()


def memory(processes: list[psutil.Process]) -> int:
    return sum(each.memory_info().rss for each in processes)


@pytest.fixture(scope="module")
def server() -> Iterator[Serve]:
    with place() as parent, serving(parent / "data") as server:
        yield server


@pytest.mark.parametrize("key", ["a caller", "a stranger"])
def test_others_are_answered_meanwhile(server: Serve, key: str):
    given = server.told("API key") if key == "a caller" else "phx_unknown"
    web = server.web_processes()
    server.call("GET", server.annotations)
    before, statuses = memory(web), set[int]()
    bodies = {kind: (make(), content_type) for kind, (make, content_type) in BODIES.items()}

    def send_all(place: int) -> None:
        first = place * len(bodies) // SENDERS  # each begins at another kind
        for body, content_type in [*bodies.values()][first:] + [*bodies.values()][:first]:
            for method, path in addresses(server):
                statuses.add(send(server, method, path, body, content_type, given))

    with Others(server) as others:
        senders = [threading.Thread(target=send_all, args=(number,)) for number in range(SENDERS)]
        for each in senders:
            each.start()
        for each in senders:
            each.join()
    grown = memory(web) - before
    print(f"{key}: slowest GET {others.longest:.2f} s, memory +{grown // MB} MB, statuses {sorted(statuses)}")
    assert others.statuses == {200}
    assert others.longest < LONGEST
    assert {each for each in statuses if each >= 500} <= {503}
    assert grown < MOST_MEMORY
