"""A timeout for clients that do not read a response (D79): the kernel closes their connections."""

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

from core6.serving.limits import PATIENCE_SECONDS

_AGAIN_SECONDS: Final = 0.05


def cut_stalled_readers(loop: asyncio.AbstractEventLoop) -> None:
    """Have the kernel close connections whose peer reads nothing for PATIENCE_SECONDS (Linux only).

    The option is set on listening sockets, from which connections inherit it. granian opens them itself, a moment after
    the start of its loop.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return
    listening = [found for found in _sockets() if _is_listening(found)]
    for found in listening:
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(PATIENCE_SECONDS * 1000))
        found.close()
    if not listening:
        loop.call_later(_AGAIN_SECONDS, cut_stalled_readers, loop)


def _sockets() -> list[socket.socket]:
    """Return a copy of each socket of this process."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(socket.socket(fileno=os.dup(int(path.name))))
    return found


def _is_listening(found: socket.socket) -> bool:
    with suppress(OSError):
        if found.family in (socket.AF_INET, socket.AF_INET6) and found.getsockopt(
            socket.SOL_SOCKET, socket.SO_ACCEPTCONN
        ):
            return True
    found.close()
    return False
