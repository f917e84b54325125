"""Receiving request bodies: complete (D68), limited in size, and not slower than D79 allows."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from granian.rsgi import Scope

from core6.api.parsers import LARGEST_WITH_KEY
from core6.serving.limits import LEAST_BYTES_A_SECOND, MOST_DRAINED, PATIENCE_SECONDS

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol

#: Bodies of these methods are ignored, and not received.
WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class TooSlow(Exception):
    """The client sends its body too slowly (408)."""


class TooMuchHeld(Exception):
    """The bodies in this process need more memory than its limit (503)."""


class Body(NamedTuple):
    """A received body; `content` is empty if it is too large, incomplete, or large and without a key."""

    content: bytes = b""
    #: The Content-Length, or the counted size of chunks; None without a body.
    length: int | None = None
    #: False if the connection or a chunk broke before the end.
    is_whole: bool = True


class Receiver:
    """Receives bodies of at most `largest(path)` bytes, and of at most `most_held` bytes in total."""

    def __init__(self, *, largest: Callable[[str], int], most_held: int) -> None:
        self._largest, self._most_held = largest, most_held
        self._held = 0

    async def receive(self, scope: Scope, protocol: "RSGIHTTPProtocol") -> Body:
        """Return the body of a request; call `release` after the response.

        Raises TooSlow, TooMuchHeld.
        """
        if scope.method in WITHOUT_BODY:
            return Body()
        headers = scope.headers
        announced = headers.get("content-length")
        length = int(announced) if announced else None
        if not length and "transfer-encoding" not in headers:
            return Body(length=length)
        most = self._largest(scope.path) if _may_have_key(scope) else LARGEST_WITH_KEY
        if length is not None and length > most and ("expect" in headers or length > MOST_DRAINED):
            return Body(length=length)  # a client that waits for "100 Continue" has not sent it
        kept: list[bytes] = []
        try:
            received, is_whole = await self._collect(protocol, length, most, kept)
        except BaseException:
            self._drop(kept)
            raise
        if not is_whole:
            self._drop(kept)
        return Body(b"".join(kept), received if length is None else length, is_whole)

    def release(self, body: Body) -> None:
        """Subtract a body from the total."""
        self._held -= len(body.content)

    def _drop(self, kept: list[bytes]) -> None:
        self._held -= sum(map(len, kept))
        kept.clear()

    async def _collect(
        self, protocol: "RSGIHTTPProtocol", length: int | None, most: int, kept: list[bytes]
    ) -> tuple[int, bool]:
        """Receive chunks into `kept`, or drop them beyond `most` bytes; return the size, and whether it is complete."""
        received = ends = 0
        is_kept = length is None or length <= most
        now = asyncio.get_running_loop().time
        began = now()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS) as deadline:
                async for chunk in protocol:
                    # granian yields one empty chunk at the end of a body, and another one if it is broken.
                    ends += not chunk
                    received += len(chunk)
                    if received > most:
                        is_kept = False
                        self._drop(kept)
                    elif is_kept and chunk:
                        kept.append(chunk)
                        self._held += len(chunk)
                        if self._held > self._most_held:
                            raise TooMuchHeld
                    if received == length or received > MOST_DRAINED or (length is not None and not chunk):
                        break
                    too_slow = began + max(PATIENCE_SECONDS, received / LEAST_BYTES_A_SECOND)
                    deadline.reschedule(min(now() + PATIENCE_SECONDS, too_slow))
        except TimeoutError as error:
            raise TooSlow from error
        return received, received == length if length is not None else ends <= 1


def _may_have_key(scope: Scope) -> bool:
    """Return whether the request may have a key outside its body, or is not for the API and needs none."""
    return (
        "authorization" in scope.headers
        or "personal_api_key=" in scope.query_string
        or not scope.path.startswith("/api/")
    )
