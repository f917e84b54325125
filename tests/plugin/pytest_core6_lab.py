"""The lab of `core6 serve --lab`, over HTTP: faults, journal, clock."""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

#: More than the lab waits for anything.
_SECONDS = 300.0


class Core6Error(Exception):
    """The server or one of its commands failed; the message is what it printed or answered."""


class NoLab(Core6Error):
    """The server was started without `--lab`."""


class Lab:
    """Sends requests to the paths below `/_lab/` of a server, with the token in CORE6_LAB_TOKEN."""

    def __init__(self, url: str) -> None:
        self._url = url
        token = os.environ.get("CORE6_LAB_TOKEN")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        # A proxy of the environment does not reach this machine, and the lab refuses what comes through one.
        self._open = build_opener(ProxyHandler({})).open

    def is_there(self) -> bool:
        """Return whether the server has a lab."""
        try:
            self.call("GET", "clock")
        except NoLab:
            return False
        return True

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request: a text as YAML, any other body as JSON. Return the JSON of the response, None without.

        Raises Core6Error with the reason that the lab gives, NoLab if there is none.
        """
        text = body if isinstance(body, str) else json.dumps(body)
        headers = {"Content-Type": f"application/{'yaml' if isinstance(body, str) else 'json'}", **self._headers}
        data = None if body is None else text.encode()
        try:
            with self._open(
                Request(f"{self._url}/_lab/{path}", data, headers, method=method), timeout=_SECONDS
            ) as response:
                return json.loads(response.read() or "null")
        except HTTPError as error:
            with error:
                if error.code == 404:
                    message = f"the server at {self._url} has no lab: start it by `core6 serve --lab`"
                    raise NoLab(message) from error
                raise Core6Error(f"{method} /_lab/{path}: {_reason(error)}") from error
        except OSError as error:
            raise Core6Error(f"the server at {self._url} does not answer: {error}") from error


class Faults:
    """What happens to the next requests of clients."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def add(
        self,
        *,
        method: str | None = None,
        path: str | None = None,
        key: str | None = None,
        times: int | None = 1,
        answer: Mapping[str, Any] | None = None,
        delay_ms: int | None = None,
        cut: bool | None = None,
        truncate_bytes: int | None = None,
    ) -> dict[str, Any]:
        """Add a fault for the next `times` requests that match, None for all of them; return it.

        `path` is a glob, `key` the label of a key. Give exactly one of the last four: an `answer` (`status`, `headers`,
        `body`) in place of the server's, a delay, a connection that is cut, a body that ends after so many bytes.
        """
        given: dict[str, Any] = {"method": method, "path": path, "key": key, "answer": answer and dict(answer)}
        given |= {"delay_ms": delay_ms, "cut": cut, "truncate_bytes": truncate_bytes}
        added: dict[str, Any] = self._lab.call("POST", "faults", {**_without_none(given), "times": times})
        return added

    def all(self) -> list[dict[str, Any]]:
        """Return the faults that are left."""
        found: list[dict[str, Any]] = self._lab.call("GET", "faults")["results"]
        return found

    def clear(self) -> None:
        """Remove all faults."""
        self._lab.call("DELETE", "faults")


class Journal:
    """The requests that the server received."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def requests(
        self,
        *,
        path: str | None = None,
        method: str | None = None,
        key: str | None = None,
        since: datetime | int | None = None,
    ) -> list[dict[str, Any]]:
        """Return the requests that match, oldest first.

        `path` is a glob, `key` the label of a key, `since` a time or the `id` of the last request that is known.
        """
        after = _text(since) if isinstance(since, datetime) else since
        query = urlencode(_without_none({"path": path, "method": method, "key": key, "since": after}))
        found: list[dict[str, Any]] = self._lab.call("GET", f"requests?{query}")["results"]
        return found

    def clear(self) -> None:
        """Forget the requests so far."""
        self._lab.call("DELETE", "requests")


class Clock:
    """The time of rows and criteria."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def now(self) -> datetime:
        """Return the time of the server."""
        return datetime.fromisoformat(self._lab.call("GET", "clock")["now"])

    def set(self, moment: datetime) -> None:
        """Let it be this time now, which has a time zone; from then on the time goes on."""
        self._lab.call("PUT", "clock", {"now": _text(moment)})

    def shift(self, duration: str) -> None:
        """Let it be later or earlier than on this machine: `8d`, `-3d`, also `M` (minutes), `h`, `w`, `m`, `q`, `y`."""
        self._lab.call("PUT", "clock", {"shift": duration})

    def reset(self) -> None:
        """Let it be the time of this machine again."""
        self._lab.call("PUT", "clock", {})


def _text(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise Core6Error(f"{moment!r} has no time zone: add one, such as tzinfo=UTC")
    return moment.isoformat()


def _without_none(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _reason(error: HTTPError) -> str:
    content = error.read().decode(errors="replace")
    try:
        found = json.loads(content)
        detail, path = str(found["detail"]), found.get("attr") or ""
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{error.code} {content[:200]}"
    return detail if detail.startswith(path) else f"{path}: {detail}"
