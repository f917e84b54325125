"""Events as the server reads them of a request, without storing them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core6.capture import envelope
from core6.capture.envelope import Incoming
from core6.capture.refusals import Refused

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
TOKEN = "phc_the_token_of_a_project"


def read(value: Any, *, is_engage: bool = False) -> envelope.Batch:
    text = value if isinstance(value, str) else json.dumps(value)
    return envelope.read(text, now=NOW, sent_at=None, is_engage=is_engage)


def read_one(given: dict[str, Any], **more: Any) -> Incoming:
    (found,) = read({"api_key": TOKEN, "batch": [given]}, **more).events
    return found


def refused(value: Any, **more: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        read(value, **more)
    return caught.value.status, caught.value.detail


def refused_event(given: Any, **more: Any) -> tuple[int, str]:
    return refused({"api_key": TOKEN, "batch": [given]}, **more)


def visit(**fields: Any) -> dict[str, Any]:
    return {"event": "visit", "distinct_id": "anna", **fields}
