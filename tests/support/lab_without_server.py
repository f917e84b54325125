"""A lab in a thread of the tests: the process in front of the web server, without that one behind it."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core6.database import data_directory
from core6.lab.front import Front
from core6.serving.ports import free_port
from tests.support.serving import wait_until

_LOCAL = "127.0.0.1"


@dataclass
class Lab:
    """Where it listens. Requests that no fault answers are 503: there is no server."""

    url: str

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> int | None:
        """Send a request as a client under test does; return its status, None where the connection was cut."""
        content = body if body is None or isinstance(body, str) else json.dumps(body)
        kind = {} if content is None else {"Content-Type": "application/json"}
        with closing(HTTPConnection(urlsplit(self.url).netloc, timeout=15)) as connection:
            try:
                connection.request(method, path, content, {**kind, **headers})
                return connection.getresponse().status
            except (HTTPException, OSError):
                return None

    def order(self, **fault: Any) -> None:
        assert self.call("POST", "/_lab/faults", fault) == 200


@contextmanager
def running_lab(settings: Any, directory: Path) -> Iterator[Lab]:
    """Run a lab whose clock is in `directory`, and let Django's settings name it, as `serve --lab` does."""
    data_directory.mark_as_lab(directory)
    port, loop, end = free_port(_LOCAL, 0), asyncio.new_event_loop(), asyncio.Event()
    front = Front(f"http://{_LOCAL}:{free_port(_LOCAL, 0)}")
    thread = threading.Thread(target=loop.run_until_complete, args=(front.serve(_LOCAL, port, end),))
    thread.start()
    lab = Lab(f"http://{_LOCAL}:{port}")
    settings.DATA_DIRECTORY, settings.IS_LAB, settings.LAB_URL, settings.LAB_TOKEN = directory, True, lab.url, ""
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, _LOCAL]
    try:
        wait_until(lambda: lab.call("GET", "/_lab/clock") == 200, "answer of the lab")
        yield lab
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()
