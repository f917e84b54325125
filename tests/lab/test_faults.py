"""Faults that a test orders."""

import json
import time
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import Any

import pytest

from tests.conftest import at_once
from tests.support.lab import KEY, OTHER_KEY, Answer, Lab

BUSY = {"answer": {"status": 503}}
PATH = "/api/projects/"


def test_the_next_3_are_exactly_3_of_80_in_parallel(lab: Lab):
    first = lab.order(path=PATH, times=3, **BUSY)["id"]
    second = lab.order(path="/api/organizations/", times=2, **BUSY)["id"]

    def work(number: int) -> list[int]:
        paths = (PATH, "/api/organizations/") * 5
        return [lab.send("GET", path).status for path in paths]

    found = at_once(8, work)
    assert sum(row[::2].count(503) for row in found) == 3
    assert sum(row[1::2].count(503) for row in found) == 2
    assert {status for row in found for status in row} == {200, 503}
    assert lab.ask("GET", "faults") == {"results": []}
    assert sorted(row["fault"] for row in lab.journal() if row["fault"]) == [first] * 3 + [second] * 2


@pytest.mark.parametrize(
    ("ordered", "status", "content_type", "content"),
    [
        ({"status": 500, "body": "down"}, 500, "text/plain; charset=utf-8", b"down"),
        ({"status": 502, "headers": {"content-type": "text/html"}, "body": "<p>ä"}, 502, "text/html", "<p>ä".encode()),
        ({"status": 200, "body": {"count": 1}}, 200, "application/json", b'{"count": 1}'),
        ({"status": 200, "body": []}, 200, "application/json", b"[]"),
        ({"status": 200, "body": ""}, 200, "text/plain; charset=utf-8", b""),
        ({"status": 200, "body": False}, 200, "application/json", b"false"),
        ({"status": 418, "headers": {"Content-Type": "a/b"}, "body": {}}, 418, "a/b", b"{}"),
        ({"status": 200}, 200, None, b""),
        ({"status": 204}, 204, None, b""),
        ({"status": 304, "headers": {"ETag": '"a"'}}, 304, None, b""),
        ({"status": 302, "headers": {"Location": "/elsewhere"}}, 302, None, b""),
        ({"status": 599, "body": "x"}, 599, "text/plain; charset=utf-8", b"x"),
    ],
    ids=str,
)
def test_an_answer_is_sent_as_ordered(
    lab: Lab, ordered: dict[str, Any], status: int, content_type: str | None, content: bytes
):
    lab.order(path=PATH, answer=ordered)
    answer = lab.send("GET", PATH)
    assert (answer.status, answer.headers["Content-Type"], answer.content) == (status, content_type, content)
    for name, value in ordered.get("headers", {}).items():
        assert answer.headers[name] == value
    assert answer.headers["Server"] is None
    assert lab.send("GET", PATH).status == 200


@pytest.mark.parametrize(("status", "kind"), [(503, "server_error"), (429, "invalid_request")])
def test_an_error_without_a_body_is_one_of_the_api(lab: Lab, status: int, kind: str):
    lab.order(answer={"status": status, "headers": {"Retry-After": "7"}})
    answer = lab.send("POST", PATH, {"name": "never made"})
    assert answer.status == status
    assert answer.headers["Retry-After"] == "7"
    assert (answer.json["type"], answer.json["code"], answer.json["attr"]) == (kind, "fault", None)
    assert "never made" not in lab.send("GET", PATH).content.decode()


def test_a_head_has_the_answers_head_alone(lab: Lab):
    lab.order(method="HEAD", answer={"status": 500, "body": "down"})
    assert lab.send("GET", PATH).status == 200
    answer = lab.send("HEAD", PATH)
    assert (answer.status, answer.content, answer.headers["Content-Length"]) == (500, b"", "4")


def test_a_fault_is_for_the_key_of_one_job_wherever_it_is(lab: Lab):
    lab.order(key="ci", times=None, **BUSY)
    role = "/api/organizations/@current/roles/"

    def statuses(key: str) -> list[int]:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        calls: list[Answer] = [
            lab.send("GET", PATH, key=key),
            lab.send("GET", f"{PATH}?personal_api_key={key}", key=None),
            lab.send("POST", role, {"personal_api_key": key}, key=None),
            lab.send("POST", role, f"personal_api_key={key}".encode(), form, key=None),
        ]
        return [answer.status for answer in calls]

    assert statuses(KEY) == [503] * 4
    assert statuses(OTHER_KEY) == [200, 200, 400, 400]
    assert statuses("phx_unknown") == [401] * 4
    assert [row["key"] for row in lab.journal()] == [*["ci"] * 4, *["other job"] * 4, *[None] * 4]


def test_a_cut_connection_ends_without_a_byte_and_nothing_is_written(lab: Lab):
    lab.order(method="POST", cut=True)
    with pytest.raises((ConnectionResetError, RemoteDisconnected)):
        lab.note("cut")
    assert "cut" not in [row["content"] for row in lab.send("GET", lab.notes).json["results"]]
    assert lab.journal()[0]["status"] is None


@pytest.mark.parametrize("size", [0, 1, 20, 10**6])
def test_a_truncated_response_has_its_whole_head_and_the_first_bytes(lab: Lab, size: int):
    whole = lab.send("GET", PATH)
    lab.order(truncate_bytes=size)
    with pytest.raises(IncompleteRead) as caught:
        lab.send("GET", PATH)
    assert caught.value.partial == whole.content[:size]
    assert lab.send("GET", PATH).content == whole.content


def test_a_truncated_write_is_done(lab: Lab):
    lab.order(method="POST", truncate_bytes=3)
    with pytest.raises(HTTPException):
        lab.note("truncated but written")
    assert "truncated but written" in [row["content"] for row in lab.send("GET", lab.notes).json["results"]]


def test_a_response_without_a_body_cannot_be_truncated(lab: Lab):
    etag = lab.send("GET", PATH).headers["ETag"]
    lab.order(truncate_bytes=0, times=2)
    assert lab.send("HEAD", PATH).status == 200
    assert lab.send("GET", PATH, headers={"If-None-Match": etag}).status == 304


def test_a_delayed_response_is_the_same_later_and_holds_up_no_other(lab: Lab):
    whole = lab.send("GET", PATH)
    lab.order(path=PATH, delay_ms=600)

    def work(number: int) -> tuple[float, bytes]:
        time.sleep(number * 0.1)
        began = time.monotonic()
        answer = lab.send("GET", PATH)
        return time.monotonic() - began, answer.content

    (slow, first), (fast, second) = at_once(2, work)
    assert slow >= 0.6
    assert fast < 0.5
    assert first == second == whole.content
    assert lab.journal()[-1]["ms"] >= 600


@pytest.mark.parametrize("path", ["/_livez", "/_readyz", "/admin/", "/admin", "/static/x", "/_lab/clock"])
def test_probes_the_console_and_the_lab_itself_meet_no_fault(lab: Lab, path: str):
    lab.order(times=None, **BUSY)
    assert lab.send("GET", path).status != 503
    assert lab.journal() == []
    lab.ask("DELETE", "faults")
    assert lab.ask("GET", "faults") == {"results": []}


def test_an_order_in_yaml_is_listed_as_it_is(lab: Lab):
    text = b"path: /api/*\nanswer: {status: 503, headers: {Retry-After: '1'}}\ntimes: 2\n"
    made = lab.send("POST", "/_lab/faults", text, {"Content-Type": "application/yaml"}, key=None).json
    assert made == {**made, "path": "/api/*", "times": 2}
    lab.send("GET", PATH)
    assert lab.ask("GET", "faults")["results"] == [{**made, "times": 1}]
    assert json.dumps(made["answer"]["headers"]) == '{"Retry-After": "1"}'
