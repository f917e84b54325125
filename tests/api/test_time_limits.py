"""A search that takes too long ends after 2 s with 503; nothing else has so little time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection, transaction

from cohorts.models import Cohort
from tests.conftest import Caller, Cast, error

TOO_SLOW = error(
    "server_error",
    "service_unavailable",
    "The search takes too long: search for less, or ask for fewer rows with `limit`.",
)


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
def test_a_search_ends_after_2_seconds(cast: Cast, alice: Caller, path: str, table: str):
    cohort = Cohort.objects.create(project=cast.web).pk if "{cohort}" in path else None
    began = time.monotonic()
    with locked(table):
        response = alice.client.get(f"/api/projects/{cast.web.pk}/{path.format(cohort=cohort)}")
    assert (response.status_code, response.json()) == (503, TOO_SLOW)
    assert response["Retry-After"] == "1"
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
