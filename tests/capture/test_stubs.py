"""What SDKs ask for beside ingestion: no flags, no recordings (E9, E10)."""

import json
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest

from core6.analytics.models import Event, Person
from projects.models import Project
from tests.conftest import Caller, Cast, error
from tests.support.capture.sending import FORM, as_base64, as_form, as_gzip, as_json
from tests.support.database_state import state

NO_FLAGS = {"flags": {}, "featureFlags": {}, "featureFlagPayloads": {}, "errorsWhileComputingFlags": False}
UNKNOWN = error("authentication_error", "invalid_api_key", "The provided API key is invalid or has expired.")


@pytest.fixture
def project(cast: Cast) -> Project:
    """A project whose token is shorter than a real one, which may stand in no log."""
    Project.objects.filter(pk=cast.web.pk).update(api_token="phc_web")
    cast.web.refresh_from_db()
    return cast.web


def wanted(token: Any = "phc_web", **fields: Any) -> dict[str, Any]:
    return {"token": token, "distinct_id": "anna", "groups": {}, **fields}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (as_json(wanted()), "application/json"),
        (as_json({"api_key": "phc_web", "distinct_id": "anna"}), "application/json"),
        (as_json({"$token": "phc_web"}), "text/plain"),
        (as_form(as_base64(wanted())), FORM),
        (as_base64(wanted()), "text/plain"),
        (as_gzip(wanted()), "text/plain"),
    ],
)
def test_there_are_no_flags(project: Project, body: bytes, content_type: str):
    for path in ("/flags/?v=2", "/flags/?v=4", "/flags", "/decide/?v=3", "/decide/"):
        response = Caller(None).post(path, body, content_type=content_type)
        assert (response.status_code, response.json()) == (200, NO_FLAGS)


@pytest.mark.parametrize("path", ["/flags/", "/decide/"])
def test_the_token_may_stand_in_the_query(project: Project, path: str):
    assert Caller(None).get(path, token="phc_web").json() == NO_FLAGS
    assert Caller(None).post(f"{path}?api_key=phc_web", b"").json() == NO_FLAGS
    assert Caller(None).get(path, data=json.dumps(wanted())).json() == NO_FLAGS


STRANGE: list[bytes] = [
    *(b"", b"{", b"[]", b"1", b'"phc_web"', b"\xff", b"null", b"[" * 100_000, as_gzip(b" " * 3 * 1024**2)),
    *(as_json(wanted(each)) for each in ("", "phc_other", "phc_web2", None, 12, ["phc_web"], "phc_\0", "\ud800")),
    b" " * (2 * 1024**2) + as_json(wanted()),
]


@pytest.mark.parametrize("path", ["/flags/", "/decide/"])
def test_flags_of_an_unknown_project_are_401(project: Project, path: str):
    for body in STRANGE:
        response = Caller(None).post(path, body)
        assert (response.status_code, response.json()) == (401, UNKNOWN), body[:40]


def test_the_remote_config_wants_nothing_more(project: Project):
    expected = {
        "token": "phc_web",
        "supportedCompression": ["gzip", "gzip-js"],
        "hasFeatureFlags": False,
        "sessionRecording": False,
        "autocapture_opt_out": True,
        "analytics": {"endpoint": "/i/v0/e/"},
    }
    for path in ("/array/phc_web/config", "/array/phc_web/config/"):
        response = Caller(None).get(path)
        assert (response.status_code, response.json()) == (200, expected)


def test_the_remote_config_of_an_unknown_project_is_401(project: Project):
    for token in ("phc_other", "x", "phc_web ", "%00", "ü", "..", "'", "a" * 5000, "%"):
        response = Caller(None).get(f"/array/{quote(token, safe='%')}/config")
        assert (response.status_code, response.json()) == (401, UNKNOWN)


def test_a_script_of_the_config_is_not_there(project: Project):
    assert Caller(None).get("/array/phc_web/config.js").status_code == 404


def test_recordings_are_accepted_and_dropped_unread(project: Project):
    bodies = (b"", b"\xff" * 1000, as_gzip(b" " * 10_000), as_json(wanted()))
    for path, body in product(("/s/", "/s", "/s/?compression=gzip-js&ver=1"), bodies):
        response = Caller(None).post(path, body, content_type="text/plain")
        assert (response.status_code, response.json()) == (200, {"status": 1})


def test_none_of_that_leaves_a_trace(project: Project):
    before = state()
    Caller(None).post("/flags/?v=2", wanted())
    Caller(None).get("/array/phc_web/config")
    Caller(None).post("/s/", wanted())
    assert state() == before
    assert not Event.objects.exists()
    assert not Person.objects.exists()
