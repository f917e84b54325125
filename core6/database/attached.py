"""The embedded database beside a running serve, or started for one command."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core6.database import data_directory
from core6.database.data_directory import Unusable
from core6.database.embedded import START_SECONDS, Server


@contextmanager
def attached(directory: Path) -> Iterator[None]:
    """Have the embedded database run inside the block: use the running one, or start it.

    A process that started it waits for all other users before it stops it.
    """
    data_directory.prepare(directory)
    with data_directory.using(directory) as wait_for_others:
        server = _attach(directory)
        try:
            yield
        finally:
            if server:
                wait_for_others()
                server.stop()


def _attach(directory: Path) -> Server | None:
    """Return the server that was started here; None if one is already running."""
    server = Server(directory)
    deadline = time.monotonic() + START_SECONDS
    while not server.is_answering():
        try:
            server.start()
        except BlockingIOError:
            # The owner is starting or stopping it.
            if time.monotonic() > deadline:
                raise Unusable(
                    f"process {data_directory.owner(directory)} owns {directory}, but its database does not answer:"
                    " stop that process"
                ) from None
            time.sleep(0.1)
        else:
            return server
    return None
