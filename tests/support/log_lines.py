"""The lines of the log, as the objects that they are in JSON."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core6.observability.logs import formatter


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(formatter(is_readable=False))
        self.texts: list[str] = []
        self.found: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))
        self.found.append(json.loads(self.texts[-1]))


@contextmanager
def logged() -> Iterator[list[dict[str, Any]]]:
    """Collect the lines that are logged, at any level."""
    lines = _Lines()
    logging.getLogger().addHandler(lines)
    try:
        yield lines.found
    finally:
        logging.getLogger().removeHandler(lines)
