"""The web server of the lab: it answers below `/_lab/`, and passes all else on, unless a fault is ordered for it."""

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from multidict import CIMultiDict
from yarl import URL

from core6.accounts import keys
from core6.accounts.models import PersonalAPIKey
from core6.api import errors
from core6.lab import doors, strict
from core6.lab.endpoints import Endpoints
from core6.lab.faults import Fault
from core6.lab.refusals import Refused
from core6.lab.state import State

logger = logging.getLogger(__name__)
#: Headers of one connection, not of the message (RFC 9110, 7.6.1).
_OF_CONNECTION: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
_KEY: Final = re.compile(rb'ph[a-z]_\w{6,}|"personal_api_key"\s*:\s*"([^"]+)"')
#: Neither faults nor the journal see these: probes, the console, what browsers request beside it, and the lab itself.
_UNSEEN: Final = re.compile(r"/(?:_|admin(?:/|$)|static/|favicon\.ico$)")
_LARGEST_HEADER: Final = 64 * 1024


class Front:
    """Passes requests on to the web server at `target`."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._state = State()
        # One thread: what the lab does with the database happens in order.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lab")
        self._labels: dict[str, str] = {}
        self._endpoints = Endpoints(self._state, self._in_thread, self._labels.clear)

    async def serve(self, host: str, port: int, until: asyncio.Event) -> None:
        """Listen until the event."""
        application = web.Application(client_max_size=settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1024**2)
        application.router.add_route("*", "/{path:.*}", self._answer)
        application.on_response_prepare.append(_without_additions)
        runner = web.AppRunner(
            application,
            access_log=None,
            auto_decompress=False,
            max_line_size=_LARGEST_HEADER,
            max_field_size=_LARGEST_HEADER,
        )
        async with ClientSession(
            auto_decompress=False,
            timeout=ClientTimeout(total=None),
            connector=TCPConnector(limit=0),
            cookie_jar=DummyCookieJar(),
            max_line_size=_LARGEST_HEADER,
            max_field_size=_LARGEST_HEADER,
        ) as self._session:
            await runner.setup()
            await web.TCPSite(runner, host, port).start()
            await until.wait()
            await runner.cleanup()

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, _with_connection, work)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _of_django(errors.too_large())
        try:
            if path == "/_lab" or path.startswith("/_lab/"):
                doors.check(request.headers, has_body=bool(body))
                return _of_lab(await self._endpoints.answer(request.method, path, dict(request.query), body))
            if _UNSEEN.match(path):
                return await self._pass_on(request, body)
        except Refused as refused:
            return _refusal(refused)
        return await self._observed(request, path, body)

    async def _observed(self, request: web.Request, path: str, body: bytes) -> web.StreamResponse:
        """Answer a request of a client under test: with a fault, or from the server; note it in the journal."""
        began = time.monotonic()
        query = request.raw_path.partition("?")[2]
        label = await self._label(request.headers, query, body)
        fault = self._state.faults.take(request.method, path, label)
        response: web.StreamResponse | None = None
        try:
            response = await self._with_fault(fault, request, path, body)
        except Refused as refused:
            response = _refusal(refused)
        finally:
            self._state.journal.add(
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
        self, fault: Fault | None, request: web.Request, path: str, body: bytes
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
            query = request.raw_path.partition("?")[2]
            strict.check(request.method, path, query, request.headers.get("Content-Type", ""), body)
        if fault and fault.truncate_bytes is not None:
            return await self._truncated(request, body, fault.truncate_bytes)
        return await self._pass_on(request, body)

    async def _truncated(self, request: web.Request, body: bytes, size: int) -> web.StreamResponse:
        """Send the head of the server's answer, the first bytes of its body, and end the connection."""
        whole = await self._pass_on(request, body)
        content = whole.body if isinstance(whole.body, bytes) else b""
        response = web.StreamResponse(status=whole.status, headers=whole.headers)
        response.content_length = max(len(content), size + 1)
        await response.prepare(request)
        await response.write(content[:size])
        if request.transport:
            request.transport.close()
        return response

    async def _pass_on(self, request: web.Request, body: bytes) -> web.Response:
        headers = CIMultiDict(
            (name, value) for name, value in request.headers.items() if name.lower() not in _OF_CONNECTION
        )
        if "Content-Length" not in request.headers and not body:
            headers.popall("Content-Length", None)
        try:
            async with self._session.request(
                request.method,
                URL(f"{self._target}{request.raw_path}", encoded=True),
                headers=headers,
                data=body or None,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            ) as answer:
                kept = CIMultiDict(pair for pair in answer.headers.items() if pair[0].lower() not in _OF_CONNECTION)
                content = await answer.read()
                if request.method != "HEAD":
                    kept.popall("Content-Length", None)
                return web.Response(status=answer.status, reason=answer.reason, headers=kept, body=content or None)
        except (ClientError, OSError):
            return _of_django(errors.unavailable())

    async def _label(self, headers: Mapping[str, str], query: str, body: bytes) -> str | None:
        """Return the label of the key of a request, wherever it is; None without a known key."""
        value = headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if not value and (found := _KEY.search(query.encode()) or _KEY.search(body)):
            value = (found[1] or found[0]).decode(errors="replace")
        if not value:
            return None
        if value not in self._labels:
            label = await self._in_thread(
                lambda: PersonalAPIKey.objects.filter(secure_value=keys.digest(value)).values_list("label").first()
            )
            if label is None:
                return None
            self._labels[value] = label[0]
        return self._labels[value]


def _with_connection(work: Callable[[], Any]) -> Any:
    """Run what needs the database; a reset cuts connections, so that none is kept."""
    try:
        return work()
    finally:
        connection.close()


async def _without_additions(_: web.BaseRequest, response: web.StreamResponse) -> None:
    """Leave out what aiohttp adds to the head of an answer."""
    if response.headers.get("Server", "").startswith("Python/"):
        del response.headers["Server"]
    if not response.body_length and response.headers.get("Content-Type") == "application/octet-stream":
        del response.headers["Content-Type"]


def _ordered(fault: Fault) -> web.Response:
    assert fault.answer
    body, headers = fault.answer.body, CIMultiDict(fault.answer.headers)
    if body is None:
        detail = f"The lab answers {fault.answer.status}, since a fault orders it."
        plain = errors.answer(fault.answer.status, "fault", detail, "server_error")
        body = json.loads(plain.content)
    if isinstance(body, str):
        return web.Response(status=fault.answer.status, headers=headers, text=body)
    headers.setdefault("Content-Type", "application/json")
    return web.Response(status=fault.answer.status, headers=headers, body=json.dumps(body).encode())


def _of_lab(answer: Any) -> web.Response:
    return web.Response(status=204) if answer is None else web.json_response(answer)


def _refusal(refused: Refused) -> web.Response:
    return _of_django(errors.answer(refused.status, refused.code, refused.detail, refused.kind, refused.attr))


def _of_django(response: HttpResponse) -> web.Response:
    return web.Response(status=response.status_code, headers=dict(response.headers), body=response.content)
