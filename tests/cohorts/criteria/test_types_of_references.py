"""The type of a cohort that refers to others: read from these alone, and from no other definition of the project."""

from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from cohorts.models import Cohort
from tests.conftest import Caller, Cast
from tests.support.cohorts.people import all_of, leaf
from tests.support.urls import cohorts_url as url

MB = 2**20
PAID = leaf("plan", value="paid")
BOUGHT = {
    "type": "behavioral",
    "key": "bought",
    "value": "performed_event",
    "event_type": "events",
    "time_value": 1,
    "time_interval": "day",
}


def of(cohort: Cohort) -> dict[str, Any]:
    return {"type": "cohort", "key": "id", "value": cohort.pk}


def chain(cast: Cast, last: dict[str, Any], length: int) -> Cohort:
    """Return a cohort that refers to another, and so on; the last one has a condition of its own."""
    found = Cohort.objects.create(project=cast.web, filters=all_of(last))
    for _ in range(length):
        found = Cohort.objects.create(project=cast.web, filters=all_of(of(found)))
    return found


@pytest.mark.parametrize(("last", "type_"), [(PAID, "person_property"), (BOUGHT, "behavioral")])
@pytest.mark.parametrize("length", [0, 1, 30])
def test_a_cohort_has_the_type_of_what_it_refers_to(
    cast: Cast, alice: Caller, last: dict[str, Any], type_: str, length: int
):
    filters = all_of(of(chain(cast, last, length)))
    for sent in ("person_property", "behavioral", "analytical"):
        response = alice.post(url(cast), {"filters": filters, "cohort_type": sent})
        assert response.status_code == (201 if sent == type_ else 400), response.json()


def test_one_that_refers_to_one_that_is_realtime_is_realtime(cast: Cast, alice: Caller):
    first = alice.post(url(cast), {"filters": all_of(PAID)}).json()
    assert first["cohort_type"] == "realtime"
    second = all_of({"type": "cohort", "key": "id", "value": first["id"]})
    assert alice.post(url(cast), {"filters": second}).json()["cohort_type"] == "realtime"


@pytest.mark.parametrize("body", [{}, {"cohort_type": "person_property"}])
def test_no_other_definition_is_read(cast: Cast, alice: Caller, queries: CaptureQueriesContext, body: dict[str, Any]):
    named = chain(cast, PAID, 1)
    Cohort.objects.create(project=cast.web, filters=all_of(leaf("a", value="b")))
    with queries:
        assert alice.post(url(cast), {"filters": all_of(of(named)), **body}).status_code == 201
    reading = [each["sql"] for each in queries if each["sql"].startswith("SELECT") and '"filters"' in each["sql"]]
    assert bool(reading) == bool(body)
    assert all('"cohorts_cohort"."id" IN' in sql for sql in reading), reading


def test_more_than_10_mb_of_definitions_are_not_read_for_it(cast: Cast, alice: Caller):
    large = [Cohort.objects.create(project=cast.web, filters=all_of(leaf("a", value=["x" * MB] * 2))) for _ in range(6)]
    filters = all_of(*map(of, large))
    response = alice.post(url(cast), {"filters": filters, "cohort_type": "person_property"})
    assert (response.status_code, response.json()["attr"]) == (400, "cohort_type")
    assert response.json()["detail"].endswith("leave cohort_type out.")
    assert alice.post(url(cast), {"filters": filters}).status_code == 201
