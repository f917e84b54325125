from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.conftest import Caller, Cast, invalid
from tests.support.stored import everything, store
from tests.support.urls import projects_url as url

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STAMP = "2026-03-01T12:00:00+00:00"


def too_early(rest: str) -> dict:
    detail = f"Log retention can be changed once in 24 hours: try again in {rest}."
    return invalid("invalid_input", detail, "logs_settings")


def change(caller: Caller, cast: Cast, settings: object) -> dict:
    response = caller.patch(url(cast, cast.web), {"logs_settings": settings})
    assert response.status_code == 200, response.json()
    return response.json()["logs_settings"]


def test_logs_settings_are_replaced_whole(cast: Cast, alice: Caller):
    assert change(alice, cast, {"a": {"x": 1}, "b": 2}) == {"a": {"x": 1}, "b": 2}
    assert change(alice, cast, {"a": {"y": 1}}) == {"a": {"y": 1}}
    assert change(alice, cast, None) is None


def test_the_first_retention_is_not_stamped(cast: Cast, alice: Caller):
    assert change(alice, cast, {"capture": True}) == {"capture": True}
    assert change(alice, cast, {"retention_days": 14}) == {"retention_days": 14}


def test_each_later_change_of_the_retention_is_stamped(cast: Cast, alice: Caller):
    change(alice, cast, {"retention_days": 14})
    with time_machine.travel(NOON, tick=False):
        stamped = change(alice, cast, {"retention_days": 30})
    assert datetime.fromisoformat(stamped.pop("retention_last_updated")) == NOON
    assert stamped == {"retention_days": 30}


@pytest.mark.parametrize(
    ("later", "rest"),
    [
        (timedelta(0), "24 hours"),
        (timedelta(minutes=1), "24 hours"),
        (timedelta(hours=1), "23 hours"),
        (timedelta(hours=22, minutes=30), "2 hours"),
        (timedelta(hours=23), "1 hour"),
        (timedelta(hours=23, minutes=59, seconds=59), "1 hour"),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_second_change_within_24_hours_is_refused(
    cast: Cast, alice: Caller, method: str, later: timedelta, rest: str
):
    store(cast.web, logs_settings={"retention_days": 30, "retention_last_updated": STAMP})
    before = everything()
    with time_machine.travel(NOON + later, tick=False):
        body = {"timezone": "Europe/Berlin", "logs_settings": {"retention_days": 60}}
        response = alice.request(method, url(cast, cast.web), body)
    assert (response.status_code, response.json()) == (400, too_early(rest))
    assert everything() == before


def test_a_change_after_24_hours_is_accepted_and_stamped_again(cast: Cast, alice: Caller):
    store(cast.web, logs_settings={"retention_days": 30, "retention_last_updated": STAMP})
    tomorrow = NOON + timedelta(hours=24)
    with time_machine.travel(tomorrow, tick=False):
        stamped = change(alice, cast, {"retention_days": 60})
    assert stamped["retention_days"] == 60
    assert datetime.fromisoformat(stamped["retention_last_updated"]) == tomorrow


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"retention_days": 30}, {"retention_days": 30}),
        ({"retention_days": 30, "capture": True}, {"retention_days": 30, "capture": True}),
        ({"capture": True}, {"capture": True}),
        ({}, {}),
        (None, {}),
    ],
)
def test_the_same_retention_and_other_keys_are_free_and_the_stamp_stays(
    cast: Cast, alice: Caller, sent: dict | None, kept: dict
):
    store(cast.web, logs_settings={"retention_days": 30, "old": 1, "retention_last_updated": STAMP})
    with time_machine.travel(NOON, tick=False):
        assert change(alice, cast, sent) == {**kept, "retention_last_updated": STAMP}


@pytest.mark.parametrize("stamp", ["2001-01-01T00:00:00Z", None, "", 5])
def test_the_stamp_of_a_body_is_ignored(cast: Cast, alice: Caller, stamp: object):
    sent = {"retention_days": 30, "retention_last_updated": stamp}
    assert change(alice, cast, sent) == {"retention_days": 30}
    store(cast.web, logs_settings={"retention_days": 30, "retention_last_updated": STAMP})
    before = everything()
    with time_machine.travel(NOON, tick=False):
        assert change(alice, cast, sent) == {"retention_days": 30, "retention_last_updated": STAMP}
        refusal = alice.patch(url(cast, cast.web), {"logs_settings": {**sent, "retention_days": 60}})
    assert (refusal.status_code, refusal.json()) == (400, too_early("24 hours"))
    assert everything() == before


@pytest.mark.parametrize("dropped", [{}, {"capture": True}, None])
def test_dropping_the_retention_is_no_way_round_the_24_hours(cast: Cast, alice: Caller, dropped: dict | None):
    store(cast.web, logs_settings={"retention_days": 30, "retention_last_updated": STAMP})
    with time_machine.travel(NOON, tick=False):
        change(alice, cast, dropped)
        response = alice.patch(url(cast, cast.web), {"logs_settings": {"retention_days": 60}})
    assert (response.status_code, response.json()) == (400, too_early("24 hours"))
