import re

import pytest

from projects.models import Project
from tests.conftest import Caller, Cast
from tests.support.stored import FORM, everything, store
from tests.support.urls import projects_url as url

TOKEN = "a-token-of-43-characters-without-any-prefix"


def settings_of(project: Project) -> dict:
    project.refresh_from_db()
    assert isinstance(project.conversations_settings, dict)
    return project.conversations_settings


@pytest.mark.parametrize("before", [None, False])
def test_switching_on_makes_a_token_beside_the_other_settings(cast: Cast, alice: Caller, before: bool | None):
    store(cast.web, conversations_enabled=before, conversations_settings={"color": "red"})
    body = alice.patch(url(cast, cast.web), {"conversations_enabled": True}).json()
    assert body["conversations_enabled"] is True
    assert body["conversations_settings"] == {**settings_of(cast.web), "color": "red"}
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", settings_of(cast.web)["widget_public_token"])


def test_switching_on_makes_settings_where_none_are(cast: Cast, alice: Caller):
    body = alice.patch(url(cast, cast.web), {"conversations_enabled": True}).json()
    assert list(body["conversations_settings"]) == ["widget_public_token"]


def test_switching_on_by_a_form_makes_a_token(cast: Cast, alice: Caller):
    alice.patch(url(cast, cast.web), "conversations_enabled=true", content_type=FORM)
    assert settings_of(cast.web)["widget_public_token"]


def test_a_project_that_begins_switched_on_has_a_token(cast: Cast, alice: Caller):
    sent = {"conversations_enabled": True, "conversations_settings": {"widget_public_token": "mine", "color": "red"}}
    created = alice.post(url(cast), sent).json()["conversations_settings"]
    assert created["color"] == "red"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", created["widget_public_token"])


def test_switching_on_keeps_a_token_that_is_there(cast: Cast, alice: Caller):
    store(cast.web, conversations_settings={"widget_public_token": TOKEN})
    body = alice.patch(url(cast, cast.web), {"conversations_enabled": True}).json()
    assert body["conversations_settings"] == {"widget_public_token": TOKEN}


def test_switching_on_what_is_on_makes_no_token(cast: Cast, alice: Caller):
    store(cast.web, conversations_enabled=True)
    before = everything()
    body = alice.patch(url(cast, cast.web), {"conversations_enabled": True}).json()
    assert body["conversations_settings"] is None
    assert everything() == before


def test_switching_off_ends_the_token_alone(cast: Cast, alice: Caller):
    store(cast.web, conversations_enabled=True, conversations_settings={"color": "red", "widget_public_token": TOKEN})
    body = alice.patch(url(cast, cast.web), {"conversations_enabled": False}).json()
    assert body["conversations_enabled"] is False
    assert body["conversations_settings"] == {"color": "red", "widget_public_token": None}


def test_switching_off_what_was_not_on_leaves_the_token(cast: Cast, alice: Caller):
    store(cast.web, conversations_settings={"widget_public_token": TOKEN})
    body = alice.patch(url(cast, cast.web), {"conversations_enabled": False}).json()
    assert body["conversations_settings"] == {"widget_public_token": TOKEN}


def test_switching_off_what_was_not_on_makes_no_settings(cast: Cast, alice: Caller):
    body = alice.patch(url(cast, cast.web), {"conversations_enabled": False}).json()
    assert body["conversations_settings"] is None


def test_switching_off_and_on_makes_another_token(cast: Cast, alice: Caller):
    tokens = set()
    for switch in (True, False, True):
        body = alice.patch(url(cast, cast.web), {"conversations_enabled": switch}).json()
        tokens.add(body["conversations_settings"]["widget_public_token"])
    assert len(tokens) == 3


@pytest.mark.parametrize("sent", ["mine", None, ""])
@pytest.mark.parametrize("switch", [{}, {"conversations_enabled": True}])
def test_the_token_of_a_body_is_ignored(cast: Cast, alice: Caller, sent: str | None, switch: dict):
    store(cast.web, conversations_enabled=True, conversations_settings={"widget_public_token": TOKEN})
    body = {**switch, "conversations_settings": {"widget_public_token": sent, "color": "red"}}
    response = alice.patch(url(cast, cast.web), body)
    assert response.json()["conversations_settings"] == {"color": "red", "widget_public_token": TOKEN}


def test_the_token_of_a_body_does_not_outlive_switching_off(cast: Cast, alice: Caller):
    store(cast.web, conversations_enabled=True, conversations_settings={"widget_public_token": TOKEN})
    body = {"conversations_enabled": False, "conversations_settings": {"widget_public_token": TOKEN, "color": "red"}}
    response = alice.patch(url(cast, cast.web), body)
    assert response.json()["conversations_settings"] == {"color": "red", "widget_public_token": None}


def test_no_token_of_a_body_is_stored_where_none_is(cast: Cast, alice: Caller):
    alice.patch(url(cast, cast.web), {"conversations_settings": {"widget_public_token": "mine", "color": "red"}})
    assert settings_of(cast.web) == {"color": "red"}


@pytest.mark.parametrize("stored", [None, {"color": "red"}, {"color": "red", "widget_public_token": TOKEN}])
def test_a_caller_that_switches_on_and_clears_the_settings_has_a_token(cast: Cast, alice: Caller, stored: dict | None):
    store(cast.web, conversations_settings=stored)
    body = {"conversations_enabled": True, "conversations_settings": None}
    answer = alice.patch(url(cast, cast.web), body).json()["conversations_settings"]
    assert list(answer or {}) == ["widget_public_token"]
    assert answer["widget_public_token"]
