"""The clock of the lab: what it moves, and what keeps the time of the machine."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from core6.database import data_directory, timestamps
from core6.lab import clock
from core6.lab.refusals import Refused
from tests.conftest import Caller, Cast
from tests.support.cohorts.people import all_of
from tests.support.lab import Lab
from tests.support.places import connect
from tests.support.serving import wait_until

YEAR = timedelta(days=365)
#: Times that stay the machine's: of queues, of repeated requests, of counts.
OF_THE_MACHINE = re.compile(r"procrastinate_\w+\.\w+|(?:idempotency|rate_limits|traffic|django)_\w+\.\w+")
OF_THE_CLOCK = """
accounts_membership.joined_at accounts_membership.updated_at accounts_personalapikey.created_at
accounts_user.created_at activity_activitylog.created_at analytics_person.created_at annotations_annotation.created_at
annotations_annotation.updated_at cohorts_calculation.finished_at cohorts_calculation.started_at
cohorts_cohort.created_at cohorts_cohort.last_calculation projects_productintent.created_at
projects_productintent.onboarding_completed_at projects_productintent.updated_at projects_project.created_at
projects_project.updated_at roles_role.created_at roles_rolemembership.joined_at roles_rolemembership.updated_at
"""
COLUMNS = """
SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t
    USING (table_schema, table_name)
WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.data_type = 'timestamp with time zone'"""


def wrong(name: str, *values: Any) -> Iterator[tuple[dict[str, Any], str]]:
    for value in values:
        yield {name: value}, name


@pytest.fixture
def directory(settings: Any, tmp_path: Any) -> None:
    """A data directory of a lab that was just started."""
    settings.DATA_DIRECTORY = tmp_path
    data_directory.reset_clock(tmp_path)


@pytest.mark.parametrize(
    ("given", "ahead"),
    [
        ({}, timedelta()),
        ({"shift": "8d"}, timedelta(days=8)),
        ({"shift": "+8d"}, timedelta(days=8)),
        ({"shift": "-3d"}, timedelta(days=-3)),
        ({"shift": "90M"}, timedelta(minutes=90)),
        ({"shift": "2h"}, timedelta(hours=2)),
        ({"shift": "0d"}, timedelta()),
        ({"shift": "100y"}, 100 * YEAR),
    ],
    ids=str,
)
def test_a_shift_is_from_the_time_of_the_machine(directory: None, given: dict[str, Any], ahead: timedelta):
    clock.move({"shift": "-1y"})
    assert clock.move(given)["shift_seconds"] == ahead.total_seconds()
    assert abs(clock.now() - datetime.now(UTC) - ahead) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2031-05-06T07:08:09Z", 2031),
        ("2031-05-06T07:08:09+05:00", 2031),
        ("2031-05-06 07:08:09", 2031),
        ("2031-05-06", 2031),
        ("1900-06-01T00:00:00Z", 1900),
        ("2999-06-01T00:00:00Z", 2999),
        (datetime(2031, 5, 6, tzinfo=UTC), 2031),
    ],
)
def test_a_time_is_now_from_then_on(directory: None, text: Any, year: int):
    clock.move({"now": text})
    first = clock.now()
    assert first.year == year
    time.sleep(0.01)
    assert timedelta(milliseconds=10) <= clock.now() - first < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("given", "attr"),
    [
        *wrong("now", None, "", "now", 5, "2026-13-01", [], "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"),
        *wrong("now", "3000-01-02T00:00:00Z", "1899-12-30"),
        *wrong("shift", None, "", "3", "d", "3x", "--3d", "1.5d", " 3d", 3, "10000d", "9999y", "-9999y", "٣d", "3d\n"),
        *wrong("shift", "9" * 5000 + "d"),
        ({"now": "2026-01-01", "shift": "1d"}, None),
        ({"nonsense": 1}, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_time_that_is_none_or_too_far_is_refused_and_moves_nothing(directory: None, given: Any, attr: str | None):
    clock.move({"shift": "-3d"})
    with pytest.raises(Refused) as caught:
        clock.move(given)
    assert caught.value.attr == attr
    assert clock.state()["shift_seconds"] == -3 * 86_400


@pytest.fixture(params=[YEAR, -YEAR], ids=["a year ahead", "a year back"])
def moved(request: Any) -> Iterator[timedelta]:
    """The clock of this process elsewhere."""
    timestamps.use_clock(lambda: datetime.now(UTC) + request.param)
    yield request.param
    timestamps.use_clock(timezone.now)


def test_a_rate_limit_keeps_the_time_of_the_machine(settings: Any, cast: Cast, alice: Caller, moved: timedelta):
    settings.RATE_LIMITS = {3600: 2}
    path = f"/api/projects/{cast.web.pk}/annotations/"
    assert alice.get(path).status_code == 200
    timestamps.use_clock(timezone.now)
    assert alice.get(path).status_code == 200
    timestamps.use_clock(lambda: datetime.now(UTC) + moved)
    refused = alice.get(path)
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 3600


def test_a_session_keeps_the_time_of_the_machine(cast: Cast, client: Client, moved: timedelta):
    cast.alice.is_staff = True
    cast.alice.save()
    client.force_login(cast.alice)
    ends = Session.objects.get().expire_date - datetime.now(UTC)
    assert timedelta(hours=11) < ends <= timedelta(hours=12)
    assert client.get("/admin/").status_code == 200
    timestamps.use_clock(timezone.now)
    assert client.get("/admin/").status_code == 200


def timed_world(name: str) -> dict[str, Any]:
    week = {"value": "performed_event", "event_type": "events", "time_value": 7, "time_interval": "day"}
    recent = all_of({"type": "behavioral", "key": "paid", **week})
    return {
        "organizations": [
            {
                "name": "Acme",
                "projects": [
                    {
                        "name": name,
                        "persons": [{"distinct_ids": ["p1"]}],
                        "events": [{"distinct_id": "p1", "event": "paid", "timestamp": "-1h"}],
                        "cohorts": [{"name": "Paid this week", "filters": recent}],
                    }
                ],
            }
        ]
    }


def test_a_behavioural_cohort_loses_its_member_when_the_clock_moves_8_days(lab: Lab):
    made = lab.ask("POST", "provision", timed_world("A week"))["organizations"]["Acme"]["projects"]["A week"]
    cohorts = f"/api/projects/{made['id']}/cohorts/"
    (cohort,) = lab.send("GET", cohorts).json["results"]
    for body, members in (({"shift": "6d"}, 1), ({"shift": "8d"}, 0), ({}, 1), ({"shift": "-1d"}, 0)):
        shown = lab.ask("PUT", "clock", body)
        assert lab.ask("GET", "clock")["shift_seconds"] == shown["shift_seconds"]
        assert lab.ask("POST", "settle")["errors"] == []
        found = lab.send("GET", f"{cohorts}{cohort['id']}/").json
        assert (found["count"], found["is_calculating"]) == (members, False), body
        assert len(lab.send("GET", f"{cohorts}{cohort['id']}/persons/").json["results"]) == members
        computed = datetime.fromisoformat(found["last_calculation"])
        assert abs(computed - datetime.fromisoformat(shown["now"])) < timedelta(seconds=60)


def write_everything(lab: Lab) -> None:
    """Write what has times: the rows of each resource, by the API and from a file, and their changes."""
    project = lab.send("POST", "/api/projects/", {"name": "Timed"}).json["id"]
    below = f"/api/projects/{project}/"
    assert lab.send("PATCH", f"{below}complete_product_onboarding/", {"product_type": "surveys"}).status == 200
    assert lab.send("PATCH", below, {"name": "Timed twice"}).status == 200
    note = lab.send("POST", f"{below}annotations/", {"content": "x"}, {"Idempotency-Key": f"{time.time()}"}).json
    assert lab.send("PATCH", f"{below}annotations/{note['id']}/", {"content": "y"}).status == 200
    role = lab.send("POST", "/api/organizations/@current/roles/", {"name": f"R {time.time()}"}).json["id"]
    user = lab.send("GET", "/api/users/@me/").json["uuid"]
    memberships = f"/api/organizations/@current/roles/{role}/role_memberships/"
    assert lab.send("POST", memberships, {"user_uuid": user}).status == 201
    world = {"users": [{"email": f"{time.time()}@example.com"}], **timed_world(f"Timed {time.time()}")}
    world["organizations"][0]["members"] = {world["users"][0]["email"]: "member"}
    world["api_keys"] = [{"label": f"k {time.time()}", "user": world["users"][0]["email"], "scopes": ["*"]}]
    (recent,) = lab.ask("POST", "provision", world)["organizations"]["Acme"]["projects"].values()
    cohort = lab.send("POST", f"{below}cohorts/", {"name": "c", "filters": {}, "is_static": True})
    assert cohort.status == 201, cohort.json
    lab.ask("POST", "settle")
    assert [row["count"] for row in lab.send("GET", f"/api/projects/{recent['id']}/cohorts/").json["results"]] == [1]


def test_each_timestamp_of_a_row_is_of_the_clock(lab: Lab):
    lab.ask("PUT", "clock", {"shift": "1y"})
    began = datetime.now(UTC)
    write_everything(lab)
    ended = datetime.now(UTC)
    with connect(lab.server.directory) as connection:
        of_the_machine: set[str] = set()
        of_the_clock: set[str] = set()
        for table, column in connection.execute(COLUMNS).fetchall():
            for found, ahead in ((of_the_machine, timedelta()), (of_the_clock, YEAR)):
                within = f'SELECT EXISTS (SELECT 1 FROM "{table}" WHERE "{column}" BETWEEN %s AND %s)'
                if connection.execute(within.encode(), (began + ahead, ended + ahead)).fetchone() == (True,):
                    found.add(f"{table}.{column}")
    assert [name for name in of_the_machine if not OF_THE_MACHINE.fullmatch(name)] == []
    assert of_the_clock >= set(OF_THE_CLOCK.split())


def test_a_job_runs_at_once_wherever_the_clock_is(lab: Lab):
    for shift in ("1y", "-1y"):
        lab.ask("PUT", "clock", {"shift": shift})
        made = lab.send("POST", lab.cohorts, {"name": shift, "filters": all_of()})
        assert made.status == 201, made.json
        address = f"{lab.cohorts}{made.json['id']}/"
        wait_until(lambda: not lab.send("GET", address).json["is_calculating"], "count", seconds=20)  # noqa: B023
        created = datetime.fromisoformat(lab.send("GET", address).json["created_at"])
        assert (created > datetime.now(UTC)) is (shift == "1y")


def test_a_token_and_a_repeated_request_keep_the_time_of_the_machine(lab: Lab):
    sent = ("POST", lab.notes, {"content": "repeated"}, {"Idempotency-Key": f"repeated {time.time()}"})
    first = lab.send(*sent)
    for shift in ("1y", "-1y"):
        lab.ask("PUT", "clock", {"shift": shift})
        again = lab.send(*sent)
        assert (again.status, again.json["id"]) == (201, first.json["id"])
        token = lab.send("GET", f"/api/projects/{lab.project}/").json["live_events_token"]
        ends = jwt.decode(token, options={"verify_signature": False})["exp"] - time.time()
        assert 6 * 86_400 < ends <= 7 * 86_400
