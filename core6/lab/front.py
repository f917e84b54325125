"""The web server of the lab: it answers below `/_lab/`, and passes all else on, unless a fault is ordered for it."""

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import BadHttpMessage
from django.db import DatabaseError, connection
from multidict import CIMultiDict
from rest_framework.request import Request

from core6.accounts import keys
from core6.accounts.models import PersonalAPIKey
from core6.api import errors
from core6.api.authentication import find_key
from core6.api.parsers import UNREADABLE
from core6.lab import doors, strict
from core6.lab.endpoints import Body, Endpoints
from core6.lab.faults import Fault
from core6.lab.parsing import parsed
from core6.lab.passing import LARGEST_HEADER, WebServer, of_django, raw_path, receive
from core6.lab.refusals import Refused
from core6.lab.state import State
from core6.serving.limits import MOST_DRAINED

logger = logging.getLogger(__name__)
#: Neither faults nor the journal see these: probes, the console, what browsers request beside it, and the lab itself.
_UNSEEN: Final = re.compile(r"/(?:_|admin(?:/|$)|static/|favicon\.ico$)")
#: In seconds: less than `serve` waits before it stops the lab by force.
_STOP_SECONDS: Final = 5


class Front:
    """Passes requests on to the web server at `target`."""

    def __init__(self, target: str) -> None:
        self._web_server = WebServer(target)
        self._state = State()
        # One thread: what the lab does with the database happens in order. Keys do not wait for a settle.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lab")
        self._key_thread = ThreadPoolExecutor(1, thread_name_prefix="lab-keys")
        self._labels: dict[str, str] = {}
        self._endpoints = Endpoints(self._state, self._in_thread, self._labels.clear)

    async def serve(self, host: str, port: int, until: asyncio.Event) -> None:
        """Listen until the event."""
        # It logs an error for each request that is no HTTP.
        logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
        application = web.Application(client_max_size=MOST_DRAINED)
        application.router.add_route("*", "/{path:.*}", self._answer)
        application.on_response_prepare.append(_without_additions)
        runner = web.AppRunner(
            application,
            access_log=None,
            auto_decompress=False,
            shutdown_timeout=_STOP_SECONDS,
            max_line_size=LARGEST_HEADER,
            max_field_size=LARGEST_HEADER,
        )
        async with self._web_server:
            await runner.setup()
            await web.TCPSite(runner, host, port).start()
            await until.wait()
            await runner.cleanup()

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, _with_connection, work)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer_whole(request, await receive(request))
        except Refused as refused:
            return _refusal(refused, request)
        except web.HTTPRequestEntityTooLarge:
            return of_django(errors.too_large(), request)
        except TimeoutError:
            return of_django(errors.request_timeout(), request)
        except (ConnectionError, ClientPayloadError, BadHttpMessage):
            return web.Response(status=400)  # the client has hung up, or broken its body off
        except Exception:
            logger.exception("The lab failed to answer")
            return of_django(errors.server_error(), request)

    async def _answer_whole(self, request: web.Request, body: bytes) -> web.StreamResponse:
        path, _, query = raw_path(request).partition("?")
        if path == "/_lab" or path.startswith("/_lab/"):
            doors.check(request.headers, has_body=bool(body))
            given = Body(body, is_json=request.content_type == "application/json")
            return _of_lab(await self._endpoints.answer(request.method, path, dict(request.query), given))
        if _UNSEEN.match(path):
            return await self._web_server.answer(request, body)
        return await self._observed(request, parsed(request.method, path, query, request.headers, body), body)

    async def _observed(self, request: web.Request, read: Request, body: bytes) -> web.StreamResponse:
        """Answer a request of a client under test: with a fault, or from the server; note it in the journal."""
        began = time.monotonic()
        journal = self._state.journal  # a reset in between has a new one
        path, query = read.META["PATH_INFO"], read.META["QUERY_STRING"]
        label = await self._label(read)
        fault = self._state.faults.take(request.method, path, label)
        response: web.StreamResponse | None = None
        try:
            response = await self._with_fault(fault, request, read, body)
        except Refused as refused:
            response = _refusal(refused, request)
        finally:
            journal.add(
                method=request.method,
                path=path,
                query=query,
                headers=request.headers.items(),
                body=body,
                key=label,
                status=None if response is None or (fault and fault.cut) else response.status,
                milliseconds=(time.monotonic() - began) * 1000,
                fault=fault,
            )
        return response

    async def _with_fault(
        self, fault: Fault | None, request: web.Request, read: Request, body: bytes
    ) -> web.StreamResponse:
        if fault and fault.cut:
            if request.transport:
                request.transport.abort()
            return web.Response()
        if fault and fault.answer:
            return _ordered(fault)
        if fault and fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        if self._state.is_strict:
            strict.check(read)
        response = await self._web_server.answer(request, body)
        if fault and fault.truncate_bytes is not None:
            return await _truncated(response, request, fault.truncate_bytes)
        return response

    async def _label(self, read: Request) -> str | None:
        """Return the label of the key of a request, wherever it is; None without a known key."""
        try:
            found = find_key(read)
        except UNREADABLE:  # such as too many parameters
            found = None
        if found is None:
            return None
        value = found[0].encode(errors="replace").decode()
        if value in self._labels:
            return self._labels[value]
        label: str | None = await asyncio.get_running_loop().run_in_executor(
            self._key_thread, _with_connection, lambda: _label_of(value)
        )
        if label is not None:
            self._labels[value] = label
        return label


def _label_of(key: str) -> str | None:
    try:
        return PersonalAPIKey.objects.filter(secure_value=keys.digest(key)).values_list("label", flat=True).first()
    except DatabaseError:  # the web server says so
        return None


def _with_connection(work: Callable[[], Any]) -> Any:
    """Run what needs the database; a reset cuts connections, so that none is kept."""
    try:
        return work()
    finally:
        connection.close()


async def _truncated(whole: web.Response, request: web.Request, size: int) -> web.StreamResponse:
    """Send the head of a response and the first bytes of its body, and end the connection."""
    content = whole.body
    if not isinstance(content, bytes) or not content:
        return whole  # it has no body, such as a 304
    response = web.StreamResponse(status=whole.status, reason=whole.reason, headers=whole.headers)
    response.content_length = max(len(content), size + 1)
    await response.prepare(request)
    await response.write(content[:size])
    if request.transport:
        request.transport.close()
    return response


async def _without_additions(_: web.BaseRequest, response: web.StreamResponse) -> None:
    """Leave out what aiohttp adds to the head of an answer."""
    if response.headers.get("Server", "").startswith("Python/"):
        del response.headers["Server"]
    if not response.body_length and response.headers.get("Content-Type") == "application/octet-stream":
        del response.headers["Content-Type"]


def _ordered(fault: Fault) -> web.Response:
    assert fault.answer
    status, body, headers = fault.answer.status, fault.answer.body, CIMultiDict(fault.answer.headers)
    if body is None and status >= 400:
        kind = "server_error" if status >= 500 else "invalid_request"
        body = json.loads(errors.answer(status, "fault", f"A fault orders the status {status}.", kind).content)
    if body is not None:
        is_text = isinstance(body, str)
        headers.setdefault("Content-Type", "text/plain; charset=utf-8" if is_text else "application/json")
        body = (body if is_text else json.dumps(body)).encode()
    return web.Response(status=status, headers=headers, body=body)


def _of_lab(answer: Any) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(status=204, headers=headers) if answer is None else web.json_response(answer, headers=headers)


def _refusal(refused: Refused, request: web.Request) -> web.Response:
    response = errors.answer(refused.status, refused.code, refused.detail, refused.kind, refused.attr)
    for name, value in refused.headers.items():
        response[name] = value
    return of_django(response, request)
