"""Each request of an SDK, byte by byte as it was recorded: its events are stored."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from projects.models import Project
from tests.conftest import Caller, Cast
from tests.support.capture.sending import (
    ACCEPTED,
    FORM,
    as_base64,
    as_form,
    as_gzip,
    as_json,
    batch,
    event,
    owners,
    person_of,
    stored,
)

GZIP = {"Content-Encoding": "gzip"}
#: lz-string's compressToBase64 of an event with this token, the distinct id `äöü€😀` and the name `$pageview`.
LZ_TOKEN = "phc_x"
LZ_EVENT = (
    b"N4IgpgbmB2AuIC4QBIAOBDA5pAlmA7iADQioBOA9qmGbHgM6KiwUDWMipAFgMYD6AD2IgAJjnp1oPWHxwjOAE4BvAH8A1BIF4NwAB7IAL66gA==="
)
VISIT = event("visit", "anna", uuid="01900000-0000-7000-8000-000000000001", timestamp="2026-03-15T10:00:00+00:00")


def of_browser(project: Project, name: str = "visit", **properties: Any) -> dict[str, Any]:
    """Return an event of posthog-js, whose distinct id and token are properties."""
    return {
        "uuid": "01900000-0000-7000-8000-000000000002",
        "event": name,
        "properties": {"token": project.api_token, "distinct_id": "anna", **properties},
        "timestamp": "2026-03-15T10:00:00.000Z",
    }


def with_token(project: Project, given: dict[str, Any]) -> dict[str, Any]:
    return {**given, "api_key": project.api_token}


@dataclass(frozen=True)
class Shape:
    """A request, and the events that are stored of it."""

    name: str
    path: str
    body: Callable[[Project], bytes]
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    stored: tuple[tuple[str, str], ...] = (("visit", "anna"),)


SHAPES = [
    Shape("python 7", "/batch/", lambda p: as_json(batch(p, VISIT, historical_migration=False, sent_at="2026-03-15"))),
    Shape("python 7 gzip", "/batch/", lambda p: as_gzip(batch(p, VISIT)), headers=GZIP),
    Shape(
        "python 3",
        "/batch/",
        lambda p: as_json(batch(p, event("$identify", "anna", **{"$set": {"a": 1}}), sentAt="2026-03-15")),
        stored=(("$identify", "anna"),),
    ),
    Shape("node 5", "/batch/", lambda p: as_gzip(batch(p, VISIT, sent_at="2026-03-15T10:00:00Z")), headers=GZIP),
    Shape("node 4", "/batch/", lambda p: as_json(batch(p, VISIT, sent_at="2026-03-15T10:00:00Z"))),
    Shape("js by magic bytes", "/e/", lambda p: as_gzip(batch(p, of_browser(p))), "text/plain"),
    Shape("js by remote config", "/i/v0/e/", lambda p: as_gzip(batch(p, of_browser(p))), "text/plain"),
    Shape("js base64", "/e/?compression=base64", lambda p: as_form(as_base64(batch(p, of_browser(p)))), FORM),
    Shape("js uncompressed", "/e/", lambda p: as_json(batch(p, of_browser(p)))),
    Shape(
        "js 1.150 list",
        "/e/?ip=1&_=1773568800000&ver=1.150.0&compression=base64",
        lambda p: as_form(as_base64([of_browser(p), of_browser(p, "click") | {"uuid": ""}])),
        FORM,
        stored=(("click", "anna"), ("visit", "anna")),
    ),
    Shape("js 1.150 object", "/e/?compression=gzip-js", lambda p: as_gzip(of_browser(p)), "text/plain"),
    Shape("js 1.57 without a hint", "/e/?ip=1", lambda p: as_form(as_base64(of_browser(p))), FORM),
    Shape("js 1.57 gzip-js", "/e/?compression=gzip-js", lambda p: as_gzip([of_browser(p)]), "text/plain"),
    Shape(
        "js 1.57 lz64",
        "/e/?ip=1",
        lambda p: as_form(LZ_EVENT, compression="lz64"),
        FORM,
        stored=(("$pageview", "äöü€😀"),),
    ),
    Shape(
        "js 1.57 people.set",
        "/engage/",
        lambda p: as_form(
            as_base64({"$set": {"a": 1}, "$token": p.api_token, "$distinct_id": "anna", "$device_id": "d"})
        ),
        FORM,
        stored=(("$identify", "anna"),),
    ),
    Shape("js-lite, react-native", "/batch/", lambda p: as_gzip(batch(p, VISIT)), headers=GZIP),
    Shape("ruby", "/batch/", lambda p: as_gzip(batch(p, {**VISIT, "type": "capture", "library": "ruby"}))),
    Shape(
        "php alias",
        "/batch/",
        lambda p: as_json(batch(p, event("$create_alias", None, {"distinct_id": "anna", "alias": "a"}, groups=[]))),
        stored=(("$create_alias", "anna"),),
    ),
    Shape("go", "/batch/?compression=gzip", lambda p: as_gzip(batch(p, VISIT)), headers=GZIP),
    Shape("ios, android", "/batch", lambda p: as_gzip(batch(p, with_token(p, VISIT))), headers=GZIP),
    Shape("dotnet batch", "/batch", lambda p: as_json(batch(p, VISIT, historical_migration=False))),
    Shape("dotnet single", "/capture", lambda p: as_json(with_token(p, VISIT))),
    Shape("n8n single to batch", "/batch/", lambda p: as_json(with_token(p, VISIT))),
    Shape("an older server library", "/track/", lambda p: as_form(as_base64(with_token(p, VISIT))), FORM),
]


@pytest.fixture
def project(cast: Cast) -> Project:
    Project.objects.filter(pk=cast.web.pk).update(api_token=LZ_TOKEN)
    cast.web.refresh_from_db()
    return cast.web


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_the_events_of_a_request_are_stored(project: Project, shape: Shape):
    response = Caller(None, **shape.headers).post(shape.path, shape.body(project), content_type=shape.content_type)
    assert (response.status_code, response.json()) == (200, ACCEPTED)
    assert response["Content-Type"] == "application/json"
    assert stored(project) == list(shape.stored)


def test_a_pixel_sends_its_event_in_the_query(project: Project):
    response = Caller(None).get("/e/", data=as_base64(of_browser(project)).decode(), compression="base64")
    assert response.json() == ACCEPTED
    assert stored(project) == [("visit", "anna")]


def test_a_beacon_gets_no_body(project: Project):
    body = as_form(as_base64([of_browser(project)]))
    response = Caller(None).post("/e/?compression=base64&beacon=1", body, content_type=FORM)
    assert (response.status_code, response.content) == (204, b"")
    assert stored(project) == [("visit", "anna")]


@pytest.mark.parametrize(
    "sent",
    [
        event("$identify", "anna", {"$set": {"a": 1}}),
        event("$identify", "anna", **{"$set": {"a": 1}}),
        event("$set", "anna", {"$set": {"a": 1}}, **{"$set": {"a": 1}}),
    ],
    ids=["node", "python", "ruby"],
)
def test_properties_of_persons_are_found_in_the_event_and_in_its_properties(project: Project, sent: dict[str, Any]):
    assert Caller(None).post("/batch/", batch(project, sent)).json() == ACCEPTED
    assert person_of(project, "anna").properties["a"] == 1


@pytest.mark.parametrize(
    "alias",
    [
        event("$create_alias", "anonymous-1", {"distinct_id": "anonymous-1", "alias": "anna"}),
        event("$create_alias", "anna", {"distinct_id": "anna", "alias": "anonymous-1"}),
        {"event": "$create_alias", "properties": {"distinct_id": "anna", "alias": "anonymous-1"}},
    ],
    ids=["python", "node, ruby, js", "go"],
)
def test_an_alias_joins_both_ids_whatever_its_direction(project: Project, alias: dict[str, Any]):
    assert Caller(None).post("/batch/", batch(project, alias)).json() == ACCEPTED
    found = owners(project)
    assert found.keys() == {"anna", "anonymous-1"}
    assert len(set(found.values())) == 1
