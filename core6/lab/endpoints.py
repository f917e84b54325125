"""What the lab answers below `/_lab/`."""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from django.db import DatabaseError

from core6.lab import clock
from core6.lab.refusals import Refused
from core6.lab.resets import Resets
from core6.lab.settle import settle
from core6.lab.state import State
from core6.provisioning.errors import WorldError
from core6.provisioning.provision import provision_text
from core6.provisioning.world import parse
from core6.terminal.suggestions import most_similar

#: In bytes, of a body that is not a world. YAML needs a hundred times longer than JSON, in which nothing is answered.
_LARGEST: Final = 1024**2
_LARGEST_YAML: Final = 64 * 1024
Thread = Callable[[Callable[[], Any]], Awaitable[Any]]


class Body(NamedTuple):
    """The body of a request to the lab."""

    content: bytes
    is_json: bool


class Endpoints:
    """The operations of the lab. `in_thread` runs what needs the database; `forget_keys` is called after changes."""

    def __init__(self, state: State, in_thread: Thread, forget_keys: Callable[[], None]) -> None:
        self._state, self._in_thread, self._forget_keys = state, in_thread, forget_keys
        self._resets = Resets(in_thread)
        #: By method and name.
        self.operations: dict[tuple[str, str], Callable[[dict[str, str], Body], Awaitable[Any]]] = {
            ("POST", "reset"): self._reset,
            ("POST", "provision"): self._provision,
            ("POST", "settle"): self._settle,
            ("GET", "faults"): self._list_faults,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._delete_faults,
            ("GET", "requests"): self._list_requests,
            ("DELETE", "requests"): self._delete_requests,
            ("GET", "clock"): self._read_clock,
            ("PUT", "clock"): self._move_clock,
            ("GET", "strict"): self._read_strict,
            ("PUT", "strict"): self._set_strict,
        }

    async def answer(self, method: str, path: str, query: dict[str, str], body: Body) -> Any:
        """Return the answer as JSON, None for 204; raises Refused."""
        name = path.removeprefix("/_lab").strip("/")
        operation = self.operations.get((method, name))
        if operation is None:
            raise self._unknown(method, name)
        if query and (method, name) != ("GET", "requests"):
            raise Refused("The lab takes parameters in the body.", next(iter(query)))
        if method in ("GET", "DELETE"):
            _mapping(body, ())
        try:
            return await operation(query, body)
        except DatabaseError as error:
            detail = "The database is not available at the moment: try again."
            raise Refused(detail, status=503, code="service_unavailable") from error

    def _unknown(self, method: str, name: str) -> Refused:
        methods = [each for each, known in self.operations if known == name]
        if methods:
            return Refused(
                f"Use {' or '.join(methods)}.",
                status=405,
                code="method_not_allowed",
                headers={"Allow": ", ".join(methods)},
            )
        names = list(dict.fromkeys(known for _, known in self.operations))
        similar = most_similar(name, names)
        advice = f"did you mean {similar}?" if similar else f"it has {', '.join(names)}."
        return Refused(f"The lab has no {name[:100] or 'page'}: {advice}", status=404, code="not_found")

    async def _reset(self, query: dict[str, str], body: Body) -> Any:
        _mapping(body, ())
        began = time.monotonic()
        await self._resets.reset()
        clock.reset()
        self._state.clear()
        self._forget_keys()
        return {"milliseconds": round((time.monotonic() - began) * 1000)}

    async def _provision(self, query: dict[str, str], body: Body) -> Any:
        def provision() -> Any:
            try:
                return provision_text(body.content.decode(), base=None)
            except UnicodeDecodeError as error:
                raise Refused("The body is no UTF-8.") from error
            except WorldError as error:
                path, _, _ = str(error.lines[0]).partition(": ") if error.lines else ("", "", "")
                raise Refused(str(error), path if " " not in path else None) from error

        made = await self._in_thread(provision)
        self._forget_keys()
        return made

    async def _settle(self, query: dict[str, str], body: Body) -> Any:
        _mapping(body, ())
        return await self._in_thread(settle)

    async def _list_faults(self, query: dict[str, str], body: Body) -> Any:
        return {"results": self._state.faults.all()}

    async def _add_fault(self, query: dict[str, str], body: Body) -> Any:
        return self._state.faults.add(_mapping(body)).shown()

    async def _delete_faults(self, query: dict[str, str], body: Body) -> Any:
        self._state.faults.clear()

    async def _list_requests(self, query: dict[str, str], body: Body) -> Any:
        return self._state.journal.find(query)

    async def _delete_requests(self, query: dict[str, str], body: Body) -> Any:
        self._state.journal.clear()

    async def _read_clock(self, query: dict[str, str], body: Body) -> Any:
        return clock.state()

    async def _move_clock(self, query: dict[str, str], body: Body) -> Any:
        given = _mapping(body, ("now", "shift"))
        return clock.move(given)

    async def _read_strict(self, query: dict[str, str], body: Body) -> Any:
        return {"enabled": self._state.is_strict}

    async def _set_strict(self, query: dict[str, str], body: Body) -> Any:
        given = _mapping(body, ("enabled",))
        if not isinstance(given.get("enabled"), bool):
            raise Refused('Send {"enabled": true} or {"enabled": false}.', "enabled")
        self._state.is_strict = given["enabled"]
        return {"enabled": self._state.is_strict}


def _mapping(body: Body, known: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return the JSON or YAML object of a body, {} for none; raises Refused, also for keys that are not known."""
    if len(body.content) > (_LARGEST if body.is_json else _LARGEST_YAML):
        raise Refused("The body is too large.", status=413, code="request_too_large")
    try:
        text = body.content.decode()
        given = (json.loads if body.is_json else parse)(text) if text.strip() else {}
    except (ValueError, RecursionError, WorldError) as error:
        raise Refused(f"The body is no {'JSON' if body.is_json else 'YAML'}.", code="parse_error") from error
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        raise Refused("Send an object.", code="parse_error")
    for name in given:
        if known is not None and name not in known:
            similar = most_similar(name, known)
            raise Refused(f"Unknown key {name[:100]}{f': did you mean {similar}?' if similar else '.'}", name)
    return given
