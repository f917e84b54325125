from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from cohorts.models import Calculation, Cohort
from core6.accounts.models import User
from core6.analytics.models import Experiment
from tests.conftest import Caller, Cast, invalid
from tests.support.cohorts.people import all_of, leaf
from tests.support.urls import cohorts_url as url


def cohort(cast: Cast, name: str | None, **fields: Any) -> Cohort:
    return Cohort.objects.create(**{"project": cast.web, "name": name, **fields})


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.json()
    return [row["name"] for row in response.json()["results"]]


BEHAVIOR = {
    "type": "behavioral",
    "key": "e",
    "value": "performed_event",
    "event_type": "events",
    "time_value": 1,
    "time_interval": "day",
}


def refer(*cohorts: Cohort, as_text: bool = False) -> dict:
    values = [str(each.pk) if as_text else each.pk for each in cohorts]
    return all_of(*({"type": "cohort", "key": "id", "value": value} for value in values))


def test_the_list_is_newest_first_without_deleted_and_foreign_ones(cast: Cast, alice: Caller):
    for name in ("first", "second"):
        cohort(cast, name)
    cohort(cast, "gone", deleted=True)
    cohort(cast, "elsewhere", project=cast.app)
    cohort(cast, "theirs", project=cast.globex_web)
    body = alice.get(url(cast))
    assert names(body) == ["second", "first"]
    assert (body.json()["count"], alice.get(url(cast), deleted="true").json()["count"]) == (2, 2)
    page = alice.get(url(cast), limit=1).json()
    assert (len(page["results"]), page["next"]) == (1, f"http://testserver{url(cast)}?limit=1&offset=1")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"type": "static"}, ["static"]),
        ({"type": "dynamic"}, ["Blue whales", "blue"]),
        ({"type": "other"}, ["static", "Blue whales", "blue"]),
        ({"search": "BLUE"}, ["Blue whales", "blue"]),
        ({"search": "e w"}, ["Blue whales"]),
        ({"search": "%"}, []),
        ({"search": ""}, ["static", "Blue whales", "blue"]),
        ({"search": "blue", "type": "static"}, []),
        ({"created_by_id": 999999}, []),
        ({"created_by_id": ""}, ["static", "Blue whales", "blue"]),
        ({"basic": "true", "unknown": "x"}, ["static", "Blue whales", "blue"]),
    ],
)
def test_a_filter_lists_only_what_it_finds(cast: Cast, alice: Caller, query: dict, found: list[str]):
    cohort(cast, "blue")
    cohort(cast, "Blue whales")
    cohort(cast, "static", is_static=True)
    assert names(alice.get(url(cast), **query)) == found


def test_cohorts_of_one_creator(cast: Cast, alice: Caller):
    cohort(cast, "Alice's", created_by=cast.alice)
    cohort(cast, "Bob's", created_by=cast.bob)
    assert names(alice.get(url(cast), created_by_id=cast.bob.pk)) == ["Bob's"]


@pytest.mark.parametrize("value", ["x", "1.5", "-1", "9" * 30])
def test_a_creator_is_a_number(cast: Cast, alice: Caller, value: str):
    response = alice.get(url(cast), created_by_id=value)
    assert (response.status_code, response.json()["attr"]) == (400, "created_by_id")


def test_a_search_is_bounded(cast: Cast, alice: Caller):
    message = "Ensure this value has at most 200 characters (it has 201)."
    assert alice.get(url(cast), search="x" * 201).json() == invalid("max_length", message, "search")


def test_those_that_depend_on_events_can_be_hidden(cast: Cast, alice: Caller):
    behaving = cohort(cast, "behaving", filters=all_of(BEHAVIOR))
    by_group = cohort(cast, "by group", groups=[{"event_id": "e"}])
    over = cohort(cast, "over", filters=refer(behaving, as_text=True))
    cohort(cast, "further over", filters=refer(over))
    cohort(cast, "over a group", filters=refer(by_group))
    cohort(cast, "plain", filters=all_of(leaf("a", value=1)))
    cohort(cast, "over plain", filters=refer(cohort(cast, "also plain")))
    plain = ["over plain", "also plain", "plain"]
    assert sorted(names(alice.get(url(cast), hide_behavioral_cohorts="TRUE"))) == sorted(plain)
    assert alice.get(url(cast), hide_behavioral_cohorts="false").json()["count"] == 8


def test_filters_do_not_hold_on_the_detail_url(cast: Cast, alice: Caller):
    one = cohort(cast, "one")
    assert alice.get(f"{url(cast)}{one.pk}/", type="static", search="x").status_code == 200


def test_a_row_names_experiments_and_the_last_failure(cast: Cast, alice: Caller):
    one = cohort(cast, "one")
    experiments = [Experiment.objects.create(project=cast.web, name=str(i), exposure_cohort=one) for i in range(2)]
    Calculation.objects.create(cohort=one, error="x", error_code="timeout")
    Calculation.objects.create(cohort=one, error="x", error_code="memory_limit")
    Calculation.objects.create(cohort=one, error=None)
    (row,) = alice.get(url(cast)).json()["results"]
    assert row["experiment_set"] == [each.pk for each in experiments]
    assert "too much memory" in row["last_error_message"]
    assert alice.get(f"{url(cast)}{one.pk}/").json() == row


@pytest.mark.parametrize("rows", [1, 10, 100])
def test_a_list_takes_two_queries(cast: Cast, alice: Caller, queries: CaptureQueriesContext, rows: int):
    alice.get(url(cast))
    for i in range(rows):
        one = cohort(cast, str(i), created_by=User.objects.create(email=f"{i}@example.com"))
        Calculation.objects.create(cohort=one, error="x", error_code="timeout")
    with queries:
        assert len(alice.get(url(cast)).json()["results"]) == rows
    assert len(queries) == 2  # key with project; page with creators, experiments, failures and count
