"""`X-Request-Id`: the caller's own when it is one, else ours; in every answer and in every line of the log."""

import logging
import re
from typing import Any

import pytest
from django.test import Client

from core6.observability.request_id import RequestIdMiddleware
from tests.conftest import Caller, Cast
from tests.support.log_lines import logged


@pytest.mark.parametrize(
    "sent", ["a", "7d793037-a076-4e2c-b8b2-a0a5b1d3d1e2", "Root=1-67891233-abcdef012345", "x" * 128]
)
def test_a_valid_one_is_echoed(client: Client, sent: str):
    assert client.get("/", headers={"X-Request-Id": sent})["X-Request-Id"] == sent


@pytest.mark.parametrize("sent", ["", " ", "x" * 129, "two words", "line\r\nbreak", "ünïcode", '<script>"', "a;b"])
def test_an_id_of_another_form_is_replaced(client: Client, sent: str):
    answered = client.get("/", HTTP_X_REQUEST_ID=sent)["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{32}", answered)


def test_each_request_gets_its_own(client: Client):
    assert client.get("/")["X-Request-Id"] != client.get("/")["X-Request-Id"]


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/api/nothing", 404), ("/api/users/@me/", 401)])
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
    logger = logging.getLogger("core6.test")
    with logged() as lines:

        def view(request: Any) -> Any:
            logger.warning("within")
            return Client().get("/_livez")

        RequestIdMiddleware(view)(rf.get("/", HTTP_X_REQUEST_ID="mine"))
        logger.warning("without")
    ids = {line["event"]: line.get("request_id") for line in lines if line["logger"] == "core6.test"}
    assert ids == {"within": "mine", "without": None}
