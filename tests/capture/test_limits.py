"""How much one client may send, and how much is kept (E14)."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from django.test import Client
from django.utils import timezone

from core6.analytics.models import Event
from core6.capture import limits
from core6.capture.retention import forget_old
from tests.conftest import Cast, error


class Usage(NamedTuple):
    """What `shutil.disk_usage` returns."""

    total: int
    used: int
    free: int


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> Iterator[None]:
    limits.forget()
    yield
    limits.forget()


def send(client: Client, token: str, count: int = 1, address: str = "192.0.2.1") -> Any:
    events = [{"event": "seen", "distinct_id": f"p{number}"} for number in range(count)]
    body = {"api_key": token, "batch": events}
    return client.post("/batch/", body, content_type="application/json", REMOTE_ADDR=address)


def test_a_project_takes_so_many_events_in_a_minute(cast: Cast, client: Client, settings: Any):
    settings.EVENTS_PER_MINUTE = 5
    assert send(client, cast.web.api_token, 3).status_code == 200
    refused = send(client, cast.web.api_token, 3, "192.0.2.2")
    assert refused.status_code == 429
    assert refused.json() == error("throttled_error", "throttled", "rate limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert send(client, cast.app.api_token, 1, "192.0.2.3").status_code == 200
    assert Event.objects.filter(project_id=cast.web.pk).count() == 3


def test_an_address_sends_so_many_events_in_a_minute_whatever_the_token(cast: Cast, client: Client, settings: Any):
    settings.EVENTS_PER_MINUTE = 5
    assert [send(client, "phc_unknown", 2).status_code for _ in range(3)] == [401, 401, 429]
    assert send(client, cast.web.api_token).status_code == 429
    assert send(client, cast.web.api_token, address="192.0.2.2").status_code == 200


def test_a_full_project_takes_no_more(cast: Cast, client: Client, settings: Any):
    settings.MOST_EVENTS = 2
    assert send(client, cast.web.api_token, 2).status_code == 200
    limits.forget()
    refused = send(client, cast.web.api_token)
    assert refused.status_code == 503
    assert refused.json()["detail"] == "The project has 2 events, as many as MOST_EVENTS allows."
    assert refused.headers["Retry-After"] == "60"
    assert send(client, cast.app.api_token).status_code == 200


def test_events_are_refused_before_the_disk_is_full(
    cast: Cast, client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
):
    settings.IS_EMBEDDED = True
    free = limits.LEAST_SPACE - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10 * free, 9 * free, free))
    refused = send(client, cast.web.api_token)
    assert (refused.status_code, refused.json()["detail"]) == (503, "The disk of the server is almost full.")
    assert not Event.objects.exists()


def test_old_events_are_deleted(cast: Cast, client: Client, settings: Any):
    assert send(client, cast.web.api_token, 3).status_code == 200
    Event.objects.filter(distinct_id="p0").update(timestamp=timezone.now() - timedelta(days=31))
    assert forget_old() == 0
    settings.EVENT_RETENTION_DAYS = 30
    assert forget_old() == 1
    assert set(Event.objects.values_list("distinct_id", flat=True)) == {"p1", "p2"}
