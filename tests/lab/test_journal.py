"""The journal: what the server received, without keys and secrets."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import pytest

from core6.lab.journal import MOST, Journal
from core6.lab.refusals import Refused
from core6.security.masking import masked
from tests.conftest import at_once
from tests.support.lab import KEY, Lab

#: What may be in no entry.
SECRET: Final = "aSecretThatNobodySees"
PATH: Final = "/api/projects/"


def note(journal: Journal, **given: Any) -> dict[str, Any]:
    """Note a request; return its entry."""
    plain: dict[str, Any] = {
        "method": "GET",
        "path": PATH,
        "query": "",
        "headers": (),
        "body": b"",
        "key": None,
        "status": 200,
        "milliseconds": 1.26,
        "fault": None,
    }
    journal.add(**{**plain, **given})
    entry: dict[str, Any] = journal.find({})["results"][-1]
    return entry


def test_an_entry_says_what_was_received_and_answered():
    before = datetime.now(UTC)
    entry = note(
        Journal(),
        method="POST",
        path="/api/projects/1/annotations/",
        query="a=b&a=c",
        headers=[("Accept", "a"), ("accept", "b"), ("X-Request-Id", "r"), ("Accept", "c")],
        body='{"content": "ä", "n": [1, null]}'.encode(),
        key="ci",
        status=201,
    )
    assert before <= datetime.fromisoformat(entry.pop("at")) <= datetime.now(UTC)
    assert entry == {
        "id": 1,
        "method": "POST",
        "path": "/api/projects/1/annotations/",
        "query": "a=b&a=c",
        "headers": {"Accept": "a, c", "accept": "b", "X-Request-Id": "r"},
        "body": {"content": "ä", "n": [1, None]},
        "key": "ci",
        "status": 201,
        "ms": 1.3,
        "fault": None,
    }


def multipart(name: str) -> bytes:
    head = f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: text/plain\r\n\r\n'
    return f"{head}{SECRET}\r\nsecond line {SECRET}\r\n--edge--\r\n".encode()


LARGE: Final = "x" * 200_000
SECRETS: Final[dict[str, dict[str, Any]]] = {
    **{
        f"the header {name}": {"headers": [(name, value)]}
        for name, value in (
            ("Authorization", f"Bearer {SECRET}"),
            ("authorization", f"Basic {SECRET}"),
            ("Proxy-Authorization", SECRET),
            ("Cookie", f"sessionid={SECRET}; a={SECRET}"),
            ("X-Api-Key", SECRET),
            ("X-CSRFToken", SECRET),
            ("X-Anything", f"phx_{SECRET}"),
            ("Referer", f"http://alice:{SECRET}@a.example/?token={SECRET}"),
        )
    },
    **{
        f"the parameter {name}": {"query": f"limit=1&{name}={SECRET}&offset=2"}
        for name in ("personal_api_key", "token", "password", "api-key", "secret_token", "PASSWORD", "a_token_b")
    },
    "a key anywhere in the query": {"query": f"search=phx_{SECRET}"},
    "an escaped key": {"query": f"search={quote('Bearer ')}phx_{SECRET}"},
    "a key in the path": {"path": f"/api/projects/phc_{SECRET}/"},
    **{
        f"JSON with {json.dumps(value)[:30]}": {"body": json.dumps(value).encode()}
        for value in (
            {"password": SECRET},
            {"a": [{"personal_api_key": SECRET}]},
            {"token": {"deep": [SECRET]}},
            {"text": f"my key is phx_{SECRET}, keep it"},
            {f"phx_{SECRET}": 1},
            [f"phs_{SECRET}"],
            f"phx_{SECRET}",
            {"url": f"https://user:{SECRET}@a.example/"},
            {"secret_api_token_backup": SECRET, "large": LARGE},
            {"large": "x" * 20_000, "secret": SECRET},
            {"secret": SECRET * 10_000},
            {"secret": SECRET * 1000, "large": "x" * 20_000},
            {"api_key": '"' + SECRET * 10_000},
            {"text": json.dumps({"password": SECRET})},
        )
    },
    "JSON in UTF-16": {"body": json.dumps({"password": SECRET}).encode("utf-16")},
    "JSON that breaks off": {"body": f'{{"password": "{SECRET}'.encode()},
    "JSON that breaks off in an escape": {"body": f'{{"password": "{SECRET}\\'.encode()},
    "JSON with NaN": {"body": f'{{"password": "{SECRET}", "a": NaN}}'.encode()},
    "deep JSON": {"body": f'{{"password": "{SECRET}", "a": {"[" * 50_000}'.encode()},
    "a form": {"body": f"name=x&password={SECRET}&personal_api_key=phx_{SECRET}".encode()},
    "a multipart form": {"body": multipart("password")},
    "a multipart form with a key": {"body": multipart("a").replace(SECRET.encode(), f"phx_{SECRET}".encode())},
    "bytes that are no text": {"body": b"\xff\xfe token=" + SECRET.encode()},
}


@pytest.mark.parametrize("where", SECRETS)
def test_a_secret_is_in_no_entry(where: str):
    shown = json.dumps(note(Journal(), **SECRETS[where]), allow_nan=False)
    assert SECRET not in shown
    assert "\\u2026" in shown
    assert len(shown) < 25_000


def test_what_is_no_secret_is_shown():
    body = {"name": "Web", "key": "plan", "filters": {"keys": [1, 2.5, True]}, "content": "a password is needed"}
    entry = note(Journal(), body=json.dumps(body).encode(), query="limit=1", headers=[("Idempotency-Key", "k")])
    assert (entry["body"], entry["query"], entry["headers"]) == (body, "limit=1", {"Idempotency-Key": "k"})
    assert note(Journal(), body=b"name=x&content=y")["body"] == "name=x&content=y"
    assert masked('name="content"\r\n\r\ntoken\r\n--edge') == 'name="content"\r\n\r\ntoken\r\n--edge'


def test_the_journal_is_bounded_and_counts_what_it_dropped():
    journal = Journal()
    for _ in range(MOST + 5):
        note_only = {"method": "GET", "path": PATH, "query": "", "headers": (), "body": b"", "key": None}
        journal.add(**note_only, status=200, milliseconds=1, fault=None)  # type: ignore[arg-type]
    found = journal.find({})
    assert (found["count"], found["dropped"], found["results"][0]["id"]) == (MOST, 5, 6)
    entry = note(journal, body=LARGE.encode())
    assert len(entry["body"]) <= 10_001
    journal.clear()
    assert journal.find({}) == {"count": 0, "dropped": 0, "results": []}
    assert note(journal)["id"] == MOST + 7


def filtered(query: dict[str, str]) -> list[int]:
    journal = Journal()
    for method, path, key in (
        ("GET", "/api/projects/", "ci"),
        ("POST", "/api/projects/", None),
        ("GET", "/api/projects/1/cohorts/", "other"),
        ("DELETE", "/api/projects/1", "ci"),
    ):
        note(journal, method=method, path=path, key=key)
    return [row["id"] for row in journal.find(query)["results"]]


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({}, [1, 2, 3, 4]),
        ({"path": "/api/projects"}, [1, 2]),
        ({"path": "*/cohorts/"}, [3]),
        ({"path": "/api/projects/?/"}, [4]),
        ({"path": ""}, [1, 2, 3, 4]),
        ({"method": "get"}, [1, 3]),
        ({"method": "PUT"}, []),
        ({"key": "ci"}, [1, 4]),
        ({"key": "CI"}, []),
        ({"since": "2"}, [3, 4]),
        ({"since": "0"}, [1, 2, 3, 4]),
        ({"since": (datetime.now(UTC) - HOUR).isoformat()}, [1, 2, 3, 4]),
        ({"since": (datetime.now(UTC) - HOUR).isoformat().replace("+", " ")}, [1, 2, 3, 4]),
        ({"since": (datetime.now(UTC) + HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")}, []),
        ({"method": "GET", "key": "ci", "path": "/api/*", "since": "0"}, [1]),
    ],
)
def test_the_filters_of_the_journal(query: dict[str, str], ids: list[int]):
    assert filtered(query) == ids


@pytest.mark.parametrize(
    ("query", "attr"),
    [
        *(({"since": text}, "since") for text in ("x", "-1", "2026-02-30", "9" * 30, "²", "2026-01-01T25:00:00Z")),
        ({"Path": "/a"}, "Path"),
        ({"limit": "1"}, "limit"),
    ],
)
def test_a_filter_that_is_none_is_refused(query: dict[str, str], attr: str):
    with pytest.raises(Refused) as caught:
        filtered(query)
    assert caught.value.attr == attr


def test_the_journal_has_each_request_of_parallel_clients(lab: Lab):
    at_once(8, lambda number: [lab.send("GET", f"{PATH}?search=client-{number}-{i}") for i in range(5)])
    rows = lab.journal()
    assert sorted(row["query"] for row in rows) == [f"search=client-{n}-{i}" for n in range(8) for i in range(5)]
    assert [row["id"] for row in rows] == sorted({row["id"] for row in rows})
    last = rows[-1]
    assert (last["method"], last["path"], last["key"], last["status"]) == ("GET", PATH, "ci", 200)
    lab.send("GET", "/api/organizations/")
    assert [row["path"] for row in lab.journal(f"?since={last['id']}&key=ci")] == ["/api/organizations/"]
    assert len(lab.journal("?path=/api/projects&method=get")) == 40
    lab.ask("DELETE", "requests")
    assert lab.journal() == []


def test_no_key_of_any_request_is_in_the_journal(lab: Lab):
    lab.send("GET", f"{PATH}?personal_api_key={KEY}", headers={"Cookie": f"sessionid={SECRET}", "X-Api-Key": SECRET})
    lab.send("POST", PATH, {"personal_api_key": KEY, "name": None, "password": SECRET}, key=None)
    lab.send("POST", PATH, f"token={SECRET}&name=%00".encode(), {"Content-Type": "application/x-www-form-urlencoded"})
    lab.send("GET", f"/api/projects/{KEY}/")
    lab.ask("PUT", "strict", {"enabled": True})
    lab.send("GET", f"{PATH}?nonsense={KEY}")
    shown = lab.send("GET", "/_lab/requests", key=None)
    assert [row["status"] for row in shown.json["results"]] == [200, 400, 400, 404, 400]
    assert KEY not in shown.content.decode()
    assert SECRET not in shown.content.decode()
    assert shown.headers["Cache-Control"] == "no-store"
