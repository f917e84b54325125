"""`X-Request-Id`: the caller's own when it is one, else ours; in every answer and in every line of the log."""

import io
import logging
import re
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from core6.request_id import RequestIdFilter, RequestIdMiddleware
from tests.conftest import Caller, Cast


@pytest.mark.parametrize(
    "sent", ["a", "7d793037-a076-4e2c-b8b2-a0a5b1d3d1e2", "Root=1-67891233-abcdef012345", "x" * 128]
)
def test_a_valid_one_is_echoed(client: Client, sent: str):
    assert client.get("/_livez", headers={"X-Request-Id": sent})["X-Request-Id"] == sent


@pytest.mark.parametrize("sent", ["", " ", "x" * 129, "two words", "line\r\nbreak", "ünïcode", '<script>"', "a;b"])
def test_another_is_replaced(client: Client, sent: str):
    told = client.get("/_livez", HTTP_X_REQUEST_ID=sent)["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{32}", told)


def test_each_request_gets_its_own(client: Client):
    assert client.get("/_livez")["X-Request-Id"] != client.get("/_livez")["X-Request-Id"]


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/api/nothing", 404), ("/api/users/@me/", 401), ("/_readyz", 200)]
)
def test_every_answer_has_it(db, client: Client, path: str, status: int):
    answer = client.get(path, headers={"X-Request-Id": "mine"})
    assert (answer.status_code, answer["X-Request-Id"]) == (status, "mine")


def test_fast_answers_have_it(cast: Cast, alice: Caller):
    path = f"/api/projects/{cast.web.pk}/annotations/"
    tag = alice.get(path)["ETag"]
    for more, status in (({}, 200), ({"If-None-Match": tag}, 304)):
        answer = alice.client.get(path, headers={"X-Request-Id": "mine", **more})
        assert (answer.status_code, answer["X-Request-Id"]) == (status, "mine")


def test_log_lines_have_it(rf: Any):
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.addFilter(RequestIdFilter())
    formats: Any = settings.LOGGING["formatters"]
    handler.setFormatter(logging.Formatter(formats["line"]["format"]))
    logger = logging.getLogger("core6.test")
    logger.addHandler(handler)
    try:

        def view(request: Any) -> Any:
            logger.warning("within")
            return Client().get("/_livez")

        RequestIdMiddleware(view)(rf.get("/", HTTP_X_REQUEST_ID="mine"))
        logger.warning("without")
    finally:
        logger.removeHandler(handler)
    assert "[mine]: within" in lines.getvalue()
    assert "[-]: without" in lines.getvalue()
