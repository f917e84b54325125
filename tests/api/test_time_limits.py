"""A search that takes too long ends after 2 s with 503; nothing else has so little time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from cohorts.models import Cohort
from core6.api import time_limits
from core6.database.breaker import FIRST_PAUSE
from tests.conftest import Caller, Cast, error
from tests.support.cohorts.people import person

TOO_SLOW = error(
    "server_error",
    "service_unavailable",
    "The search takes too long: search for less, or ask for fewer rows with `limit`.",
)


@pytest.fixture(autouse=True)
def limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for less where the length of the limit is not what is tested."""
    if "2_seconds" not in request.node.name:
        monkeypatch.setattr(time_limits, "SEARCH_SECONDS", 0.3)


@contextmanager
def locked(table: str) -> Iterator[None]:
    """Keep every statement on a table waiting."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute(f"LOCK TABLE {table}")
        yield
        other.rollback()


@pytest.mark.parametrize(
    ("path", "table"),
    [
        ("annotations/?search=word", "annotations_annotation"),
        ("cohorts/?search=word", "cohorts_cohort"),
        ("cohorts/{cohort}/persons/", "cohorts_cohortmember"),
        ("cohorts/{cohort}/persons/?search=word", "cohorts_cohortmember"),
        ("cohorts/{cohort}/persons/?is_csv_export=1", "cohorts_cohortmember"),
    ],
)
def test_a_search_ends_in_time(cast: Cast, alice: Caller, path: str, table: str):
    cohort = Cohort.objects.create(project=cast.web).pk if "{cohort}" in path else None
    began = time.monotonic()
    with locked(table):
        response = alice.client.get(f"/api/projects/{cast.web.pk}/{path.format(cohort=cohort)}")
    assert (response.status_code, response.json()) == (503, TOO_SLOW)
    assert response["Retry-After"] == "1"
    assert time.monotonic() - began < 1.9


def test_a_search_ends_after_2_seconds(cast: Cast, alice: Caller):
    began = time.monotonic()
    with locked("annotations_annotation"):
        assert alice.get(f"/api/projects/{cast.web.pk}/annotations/", search="word").status_code == 503
    assert 1.9 < time.monotonic() - began < 4


def test_a_list_without_a_search_has_more_time(cast: Cast, alice: Caller):
    began = time.monotonic()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '3s'")
        with locked("annotations_annotation"):
            response = alice.client.get(f"/api/projects/{cast.web.pk}/annotations/?limit=7")
        transaction.set_rollback(True)
    detail = "The database is not available at the moment: try again."
    assert (response.status_code, response.json()["detail"]) == (503, detail)
    assert time.monotonic() - began >= 2.9


AWAY = error(
    "server_error",
    "service_unavailable",
    "The persons of this project cannot be reached at the moment: try again in a few seconds.",
)


@pytest.fixture
def forget_breakers() -> Iterator[None]:
    yield
    time_limits.breakers.clear()


@pytest.fixture
def static(cast: Cast) -> tuple[str, str]:
    """The address of a static cohort of Acme, and who is in it."""
    cohort = Cohort.objects.create(project=cast.web, is_static=True, count=0)
    someone = person(cast.web, "d1")
    return f"/api/projects/{cast.web.pk}/cohorts/{cohort.pk}/", str(someone.uuid)


CHANGES: dict[str, Callable[[Caller, str, str], Any]] = {
    "add": lambda alice, path, uuid: alice.patch(f"{path}add_persons_to_static_cohort/", {"person_ids": [uuid]}),
    "remove": lambda alice, path, uuid: alice.patch(f"{path}remove_person_from_static_cohort/", {"person_id": uuid}),
    "create": lambda alice, path, uuid: alice.post(
        f"{path.rsplit('/', 2)[0]}/", {"is_static": True, "_create_static_person_ids": [uuid]}
    ),
}


@pytest.mark.parametrize("change", [*CHANGES])
def test_a_change_of_members_waits_so_long_for_people(
    alice: Caller, static: tuple[str, str], change: str, forget_breakers: None
):
    began = time.monotonic()
    with locked("cohorts_cohortmember"):
        response = CHANGES[change](alice, *static)
    assert (response.status_code, response.json()) == (503, AWAY)
    assert 0.2 < time.monotonic() - began < 1.9


def test_people_that_do_not_answer_hold_up_nobody_else(
    alice: Caller, cast: Cast, static: tuple[str, str], monkeypatch: pytest.MonkeyPatch, forget_breakers: None
):
    """In a cluster the next requests of such a project are refused at once; others have their people elsewhere."""
    monkeypatch.setattr(time_limits, "is_cluster", lambda: True)
    path, uuid = static
    with locked("cohorts_cohortmember"):
        assert alice.get(f"{path}persons/").status_code == 503
    began = time.monotonic()
    for response in (CHANGES["add"](alice, path, uuid), alice.get(f"{path}persons/")):
        assert (response.status_code, response.json()) == (503, AWAY)
    assert time.monotonic() - began < 1
    other = Cohort.objects.create(project=cast.app, is_static=True, count=0)
    assert alice.get(f"/api/projects/{cast.app.pk}/cohorts/{other.pk}/persons/").status_code == 200
    assert alice.get(path).status_code == 200
    now = time.monotonic() + FIRST_PAUSE
    monkeypatch.setattr("time.monotonic", lambda: now)
    assert alice.get(f"{path}persons/").status_code == 200
    assert time_limits.breakers == {}


def test_one_server_refuses_nothing_at_once(alice: Caller, static: tuple[str, str], forget_breakers: None):
    with locked("cohorts_cohortmember"):
        assert alice.get(f"{static[0]}persons/").status_code == 503
    assert alice.get(f"{static[0]}persons/").status_code == 200
