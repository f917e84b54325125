"""The faults that real clients meet, and the journal of the lab, which shows what the clients sent."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.support.serving import Serve

#: In seconds. No client waits that long of its own accord.
RETRY_AFTER = 5
DELAY = 2
RATE_LIMITED = {"answer": {"status": 429, "headers": {"Retry-After": str(RETRY_AFTER)}}}
UNAVAILABLE_TWICE = {"answer": {"status": 503, "headers": {"Retry-After": "1"}}, "times": 2}
#: The request does not reach the server behind the lab, so nothing is written.
CUT = {"cut": True}
#: The server answers, and what it wrote stays; the client gets ten bytes of the body.
TRUNCATED = {"truncate_bytes": 10}
DELAYED = {"delay_ms": DELAY * 1000}


@dataclass(frozen=True)
class Received:
    """A request as the journal shows it. `status` None is a connection that was cut."""

    status: int | None
    arrived: datetime
    answered: datetime
    headers: dict[str, str]

    @property
    def seconds(self) -> float:
        return (self.answered - self.arrived).total_seconds()


class Lab:
    """The lab of a server that was started with `--lab`."""

    def __init__(self, server: Serve) -> None:
        self.server = server

    def order(self, method: str, fault: dict[str, Any]) -> None:
        """Let the next requests of annotations meet a fault, and only that; begin a new journal."""
        for name in ("faults", "requests"):
            assert self.server.call("DELETE", f"/_lab/{name}") == (204, None)
        order = {"method": method, "path": self._path, **fault}
        status, body = self.server.call("POST", "/_lab/faults", order)
        assert status == 200, body

    def received(self, method: str) -> list[Received]:
        """Return the requests of annotations of this project, in the order of their answers."""
        status, body = self.server.call("GET", f"/_lab/requests?method={method}&path={self._path}")
        assert (status, body["dropped"]) == (200, 0), body
        return [_received(row) for row in body["results"]]

    def statuses(self, method: str) -> list[int | None]:
        return [each.status for each in self.received(method)]

    def waits(self, method: str) -> list[float]:
        """Return the seconds from each answer to the next request, to a tenth."""
        pairs = pairwise(self.received(method))
        return [round((after.arrived - before.answered).total_seconds(), 1) for before, after in pairs]

    def written(self, content: str) -> int:
        """Return how many annotations have this content."""
        status, body = self.server.call("GET", f"{self.server.annotations}?limit=1000&search={content}")
        assert status == 200, body
        return sum(row["content"] == content for row in body["results"])

    @property
    def _path(self) -> str:
        return self.server.annotations.rstrip("/")


def _received(row: dict[str, Any]) -> Received:
    answered = datetime.fromisoformat(row["at"])
    arrived = answered - timedelta(milliseconds=row["ms"])
    return Received(row["status"], arrived, answered, {name.lower(): text for name, text in row["headers"].items()})
