"""The RSGI application: it receives the complete request, then runs Django in a thread.

The event loop itself sends the responses that must not wait for a thread: health checks, and errors for slow clients
and too many requests. Everything else is Django's, which is called as a WSGI application.
"""

import asyncio
import gc
import logging
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache, partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from granian.rsgi import Scope

from core6.api import errors
from core6.api.middleware import protective_headers
from core6.api.parsers import ENDED_EARLY
from core6.api.paths import is_ingestion
from core6.observability import request_id
from core6.observability.health import Health
from core6.serving.bodies import Body, Receiver, TooMuchHeld, TooSlow
from core6.serving.limits import LARGEST_OF_EVENTS, MOST_HELD, MOST_WAITING
from core6.serving.readers import cut_stalled_readers
from core6.serving.threads import Overloaded, Threads
from core6.traffic.counter import PERIOD, Counter

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
logger = logging.getLogger(__name__)
_SILENCE_SECONDS: Final = 10.0
#: In bytes. Processing larger ones takes longer than a garbage collection.
_LARGE_BODY: Final = 256 * 1024
_LARGE_RESPONSE: Final = 2 * 1024**2


class Application:
    """Runs a WSGI application in `threads` threads."""

    def __init__(self, wsgi: WSGIApplication, *, threads: int) -> None:
        self._wsgi, self._count = wsgi, threads
        self._silent_until = 0.0
        self._counter = Counter()
        self._bodies = Receiver(largest=_largest_body, most_held=MOST_HELD)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the threads; they must not exist before the fork."""
        self._threads = Threads(loop, self._count, MOST_WAITING)
        self._health = Health()
        loop.call_soon(cut_stalled_readers, loop)
        self._writing = loop.create_task(self._write_counts())

    def __rsgi_del__(self, _: asyncio.AbstractEventLoop) -> None:
        """Store the counts of the last seconds before the process ends."""
        if not self._counter.is_empty:
            self._store_counts()
            connection.close()

    async def __rsgi__(self, scope: Scope, protocol: "RSGIHTTPProtocol") -> None:
        """Respond to one request."""
        path = scope.path
        if path.startswith("/_") and (answer := await self._health.answer(path)):
            return _send(answer, scope, protocol)
        try:
            body = await self._bodies.receive(scope, protocol)
        except TooSlow:
            return _send(errors.request_timeout(), scope, protocol)
        except TooMuchHeld:
            return self._refuse(scope, protocol)
        try:
            await self._threads.run(partial(self._answer, scope, protocol, body))
        except Overloaded:
            self._refuse(scope, protocol)
        finally:
            self._bodies.release(body)

    def _refuse(self, scope: Scope, protocol: "RSGIHTTPProtocol") -> None:
        """Respond with 503, and log a warning at most every _SILENCE_SECONDS."""
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + _SILENCE_SECONDS
            logger.warning(
                "Requests are refused with 503: too many wait for a thread, or their bodies need too much memory"
            )
        self._count_response(scope, 503)
        _send(errors.overloaded(), scope, protocol)

    def _answer(self, scope: Scope, protocol: "RSGIHTTPProtocol", body: Body) -> None:
        """Respond to a request, count it, and free its memory at once if it is large.

        A view of REST framework and its request refer to each other: they would stay in memory until the garbage
        collection of Python, which depends on the number of objects and not on their size.
        """
        status, sent = _respond(self._wsgi, scope, protocol, body)
        self._count_response(scope, status)
        if len(body.content) > _LARGE_BODY or sent > _LARGE_RESPONSE:
            gc.collect()

    def _count_response(self, scope: Scope, status: int) -> None:
        if scope.path.startswith("/api/"):
            self._counter.count(status)

    async def _write_counts(self) -> None:
        """Have a thread write the counts of responses, now and then."""
        while True:
            await asyncio.sleep(PERIOD)
            if not self._counter.is_empty:
                with suppress(Overloaded):
                    await self._threads.run(self._store_counts)

    def _store_counts(self) -> None:
        connection.close_if_unusable_or_obsolete()
        self._counter.write()


def _largest_body(path: str) -> int:
    return LARGEST_OF_EVENTS if is_ingestion(path) else settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def _respond(wsgi: WSGIApplication, scope: Scope, protocol: "RSGIHTTPProtocol", body: Body) -> tuple[int, int]:
    """Call the WSGI application and send its response; return its status and the number of bytes of its body."""
    head: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
        head[:] = int(status[:3]), headers

    try:
        response = wsgi(_environ(scope, body), start_response)
        try:
            content = b"".join(response)
        finally:
            if close := getattr(response, "close", None):
                close()
        status, headers = head
        protocol.response_bytes(status, headers, content)
    except Exception:
        logger.exception("A request broke the application")
        _send(errors.server_error(), scope, protocol)
        return 500, 0
    return status, len(content)


def _send(response: HttpResponse, scope: Scope, protocol: "RSGIHTTPProtocol") -> None:
    """Send a response that does not come from the WSGI application."""
    headers = {**protective_headers(), "Cache-Control": "no-store", **response.headers}
    headers["X-Request-Id"] = request_id.choose(scope.headers.get("x-request-id", ""))
    protocol.response_bytes(response.status_code, list(headers.items()), response.content)


@lru_cache(maxsize=512)
def _variable(header: str) -> str:
    """Return the name of a header in an environ; "" for a name that could be confused with another one."""
    if "_" in header:
        return ""
    name = header.upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


def _environ(scope: Scope, body: Body) -> dict[str, Any]:
    """Return the request as a WSGI environ (PEP 3333)."""
    path, server = scope.path, scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path if path.isascii() else path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": server[0],
        "SERVER_PORT": server[2],
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(body.content),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    headers = scope.headers
    for header, value in headers.items():
        name = _variable(header)
        environ[name] = f"{environ[name]},{value}" if name in environ else value
    for header in headers.keys():  # noqa: SIM118  # not a mapping
        # granian drops values that are not ASCII. They are replaced by a value that is never valid.
        environ.setdefault(_variable(header), "\xff")
    environ.pop("", None)
    environ.pop("CONTENT_LENGTH", None)
    if not body.is_whole:
        environ[ENDED_EARLY] = True
    elif body.length is not None:
        environ["CONTENT_LENGTH"] = str(body.length)
    return environ
