"""Requests of clients that cannot be run here against another host, as they send them: `make client-test`.

`orange-posthog-mcp` (PyPI) knows two hosts and has no setting for a third: its requests were recorded from its
published code. No registry has the GitHub actions and the release trackers: they send what their repositories show.
"""

import json
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.suites.clients.conftest import held
from tests.support.serving import Serve

HTTPX = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "python-httpx/0.28.1"}
NODE_FETCH = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate, br", "User-Agent": "node-fetch"}
AXIOS = {
    "Accept": "application/json, text/plain, */*",
    "Accept-Encoding": "gzip, compress, deflate, br",
    "User-Agent": "axios/1.6.3",
}
CURL = {"Accept": "*/*", "User-Agent": "curl/7.88.1"}


@dataclass(frozen=True)
class Annotating:
    """How a client creates an annotation."""

    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=lambda: NODE_FETCH)
    path: str = "/api/projects/{project}/annotations/"


ANNOTATING = {
    "orange-posthog-mcp 0.1.0, dated": Annotating({"date_marker": "2024-03-20T14:15:22Z"}, HTTPX),
    "orange-posthog-mcp 0.1.0, now": Annotating({"date_marker": "2026-01-02T03:04:05.678901+00:00"}, HTTPX),
    "PostHog/posthog-annotate-merges-github-action 0.1.0": Annotating(
        {"scope": "project", "date_marker": "2026-01-02T03:04:05.678Z"}
    ),
    "joggrdocs/hog-heaven 1.0.0": Annotating(
        {"date_marker": "2026-01-02T03:04:05.678Z", "scope": "project", "creation_type": "GIT"}, AXIOS
    ),
    "an action that runs curl": Annotating(
        {"date_marker": "2026-01-02T03:04:05Z", "scope": "organization", "creation_type": "GIT"},
        CURL,
        "/api/projects/@current/annotations/",
    ),
    "PostHog/github-release-tracking-plugin 0.0.2": Annotating(
        {"scope": "organization", "date_marker": "2026-01-02T03:04:05Z"},
        path="/api/projects/@current/annotations",
    ),
    "PostHog/gitlab-release-tracking-plugin": Annotating(
        {"scope": "project", "date_marker": "2026-01-02T03:04:05.000+01:00"},
        path="/api/projects/@current/annotations/",
    ),
}
#: The same moments as the server writes them.
MOMENTS = {
    "2026-01-02T03:04:05.678901+00:00": "2026-01-02T03:04:05.678901Z",
    "2026-01-02T03:04:05.678Z": "2026-01-02T03:04:05.678000Z",
    "2026-01-02T03:04:05.000+01:00": "2026-01-02T02:04:05Z",
}


def send(server: Serve, method: str, path: str, headers: dict[str, str], body: Any = None) -> tuple[int, Any]:
    """Send a request with these headers, a key, and a content type, which these clients name without a body, too."""
    sent = {**headers, "Content-Type": "application/json", "Authorization": f"Bearer {server.printed('API key')}"}
    with closing(HTTPConnection(urlsplit(server.url).netloc, timeout=15)) as connection:
        connection.request(method, path, json.dumps(body) if body is not None else None, sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


@pytest.mark.parametrize("client", ANNOTATING)
def test_an_annotation_is_created(server: Serve, project: int, client: str):
    how = ANNOTATING[client]
    path = how.path.format(project=project)
    status, row = send(server, "POST", path, how.headers, {"content": f"Release by {client}", **how.body})
    assert status == 201
    marked = how.body["date_marker"]
    expected = {"content": f"Release by {client}", **how.body, "date_marker": MOMENTS.get(marked, marked)}
    assert {key: row[key] for key in expected} == expected
    assert row["creation_type"] == how.body.get("creation_type", "USR")
    assert row["created_by"]["email"] == "alice@example.com"
    assert row == held(server, f"projects/{project}/annotations/{row['id']}/")


@pytest.mark.parametrize(
    "path",
    ["/api/projects/@current/annotations", "/api/projects/@current/annotations/?scope=project&deleted=false"],
)
def test_a_release_tracker_finds_what_it_noted_before(server: Serve, project: int, path: str):
    """Both trackers compare releases with the `content` of every annotation, page by page."""
    scope = "project" if "scope" in path else "organization"
    body = {"content": f"v1 {scope}", "scope": scope}
    assert send(server, "POST", path.partition("?")[0], NODE_FETCH, body)[0] == 201
    status, page = send(server, "GET", path, NODE_FETCH)
    assert (status, page["next"]) == (200, None)
    assert f"v1 {scope}" in {row["content"] for row in page["results"]}


def test_the_projects_of_the_current_organization_are_listed(server: Serve, organization: str):
    """What `orange-posthog-mcp` 0.1.0 asks for `list_posthog_projects`, and what it reads."""
    status, current = send(server, "GET", "/api/organizations/@current/", HTTPX)
    assert (status, current["id"]) == (200, organization)
    status, page = send(server, "GET", f"/api/organizations/{current['id']}/projects/", HTTPX)
    assert (status, [(row["id"], row["name"]) for row in page["results"]]) == (200, [(1, "Web"), (2, "App")])
