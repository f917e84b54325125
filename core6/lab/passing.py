"""Passes requests on to the web server, unchanged, and its responses back."""

import asyncio
from types import TracebackType
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from django.http import HttpResponse
from multidict import CIMultiDict
from yarl import URL

from core6.api import errors
from core6.api.middleware import protective_headers
from core6.observability import request_id
from core6.serving.limits import PATIENCE_SECONDS

#: In bytes: as much as the web server accepts.
LARGEST_HEADER: Final = 256 * 1024
#: Headers of one connection, not of the message (RFC 9110, 7.6.1), and what the whole body answers.
_OF_CONNECTION: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
)
#: In seconds. The web server closes a connection that is idle for 10.
_IDLE: Final = 5


class WebServer:
    """The web server at `target`; a context manager that owns the connections to it."""

    def __init__(self, target: str) -> None:
        self._target = target

    async def __aenter__(self) -> "WebServer":
        self._session = ClientSession(
            auto_decompress=False,
            timeout=ClientTimeout(total=None),
            connector=TCPConnector(limit=0, keepalive_timeout=_IDLE),
            cookie_jar=DummyCookieJar(),
            max_line_size=LARGEST_HEADER,
            max_field_size=LARGEST_HEADER,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def answer(self, request: web.Request, body: bytes) -> web.Response:
        """Return its response to a request."""
        headers = CIMultiDict(
            (name, _sendable(value)) for name, value in request.headers.items() if name.lower() not in _OF_CONNECTION
        )
        try:
            async with self._session.request(
                request.method,
                URL(f"{self._target}{raw_path(request)}", encoded=True),
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
            return of_django(errors.unavailable(), request)


def raw_path(request: web.Request) -> str:
    """Return path and query as they were sent; of a whole URL, which clients of a proxy send, only these."""
    sent = request.raw_path
    return sent if sent.startswith("/") else request.rel_url.raw_path_qs


async def receive(request: web.Request) -> bytes:
    """Return the body; raises HTTPRequestEntityTooLarge, and TimeoutError when nothing of it comes for 10 s."""
    content = bytearray()
    now = asyncio.get_running_loop().time
    async with asyncio.timeout(PATIENCE_SECONDS) as deadline:
        async for part in request.content.iter_any():
            content += part
            if len(content) > request.client_max_size:
                raise web.HTTPRequestEntityTooLarge(request.client_max_size, len(content))
            deadline.reschedule(now() + PATIENCE_SECONDS)
    return bytes(content)


def of_django(response: HttpResponse, request: web.Request) -> web.Response:
    """Return a response that the lab makes in place of the web server, with the headers of that."""
    headers = {**protective_headers(), "Cache-Control": "no-store", **response.headers}
    headers["X-Request-Id"] = request_id.choose(request.headers.get("X-Request-Id", ""))
    return web.Response(status=response.status_code, headers=headers, body=response.content)


def _sendable(value: str) -> str:
    """Return a header's value with bytes that are no UTF-8 replaced, which the web server takes as never valid, too."""
    return value.encode(errors="surrogateescape").decode(errors="replace")
