"""The log on stderr: each line by structlog, readable on a terminal and else one JSON object, without any secret."""

import json
import logging
import logging.config
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import structlog
from structlog.stdlib import BoundLogger, LoggerFactory, ProcessorFormatter
from structlog.typing import EventDict, WrappedLogger

from core6.observability import request_id
from core6.security.masking import masked_value

#: In characters. A traceback fits, and not all that a request sent.
_LONGEST_TEXT: Final = 20_000


def configure(given: dict[str, Any]) -> None:
    """Set up both ways to log, structlog's and Python's: settings.LOGGING_CONFIG, called with settings.LOGGING."""
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, ProcessorFormatter.wrap_for_formatter],
        logger_factory=LoggerFactory(),
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(given)


def logger_of(name: str) -> BoundLogger:
    """Return a logger that takes an event and its values: `logger.info("job_finished", ms=12)`."""
    logger: BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def formatter(*, is_readable: bool | None = None) -> logging.Formatter:
    """Return the formatter of all log records; its lines are easy to read on a terminal, and JSON elsewhere."""
    is_readable = sys.stderr.isatty() if is_readable is None else is_readable
    return ProcessorFormatter(
        processors=[
            _described,
            structlog.processors.format_exc_info,
            _without_secrets,
            # The traceback is text by now, and masked.
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback, sort_keys=False)
            if is_readable
            else _json,
        ]
    )


def _described(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Put time, level and logger first, and the id of the current request."""
    record: logging.LogRecord = event.pop("_record")
    del event["_from_structlog"]
    fields: EventDict = {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": event.pop("event"),
    }
    if current := request_id.current():
        fields["request_id"] = current
    return {**fields, **event}


def _without_secrets(_: WrappedLogger, __: str, event: EventDict) -> Mapping[str, Any]:
    cut = {name: each[:_LONGEST_TEXT] if isinstance(each, str) else each for name, each in event.items()}
    masked: Mapping[str, Any] = masked_value(cut)
    return masked


def _json(_: WrappedLogger, __: str, event: EventDict) -> str:
    try:
        return orjson.dumps(event).decode()
    except TypeError:  # half a character, or a number beyond 64 bits
        return json.dumps(event)


class UnknownErrors(logging.Filter):
    """Keeps what Django says of a 5xx when the traceback is in it: of any other the view has logged the reason."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno < logging.ERROR or bool(record.exc_info)
