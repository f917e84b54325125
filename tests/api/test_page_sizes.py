"""Pages of large rows: they end at 20 MB, and by their links every row is reached once (D70)."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from cohorts.models import Calculation, Cohort, CohortMember
from core6.activity.models import ActivityLog
from core6.analytics.models import Person
from tests.conftest import Caller, Cast
from tests.support.sampling import sampled

MB = 2**20
LARGEST = 20 * MB


def padding(megabytes: float) -> dict[str, Any]:
    return {"a": "x" * int(megabytes * MB)}


def pages(alice: Caller, link: str | None) -> list[list[Any]]:
    """Return the rows of every page, from a link to the last; each page but the last is as full as it may be."""
    found = []
    while link:
        response = alice.get(link)
        assert response.status_code == 200
        assert len(response.content) <= LARGEST + 100_000
        body = response.json()
        found.append(body["results"])
        link = body["next"]
        if link and link.startswith("?"):
            link = response.wsgi_request.path + link
        assert len(found) < 100
    return found


@pytest.fixture
def cohorts(cast: Cast) -> list[int]:
    """Thirty cohorts of 1.5 MB, 13 of which fit on a page, among thirty small ones."""
    made = []
    for number in range(60):
        groups = [padding(1.5)] if number % 2 else []
        made.append(Cohort.objects.create(project=cast.web, name=str(number), groups=groups, is_static=True).pk)
    return made[::-1]


@pytest.mark.parametrize("query", sampled(["", "?limit=20", "?is_static=true", "?search=", "?limit=1000&offset=0"], 3))
def test_pages_of_large_cohorts_hold_each_once(cast: Cast, alice: Caller, cohorts: list[int], query: str):
    found = pages(alice, f"/api/projects/{cast.web.pk}/cohorts/{query}")
    assert [row["id"] for page in found for row in page] == cohorts
    assert len(found) == 3


def test_a_page_that_ends_early_says_where_the_next_begins(cast: Cast, alice: Caller, cohorts: list[int]):
    url = f"/api/projects/{cast.web.pk}/cohorts/"
    body = alice.get(f"{url}?limit=50").json()
    assert (body["count"], len(body["results"])) == (60, 26)
    assert body["next"] == f"http://testserver{url}?limit=50&offset=26"
    assert alice.get(body["next"]).json()["results"][0]["id"] == cohorts[26]


def test_one_row_is_always_shown(cast: Cast, alice: Caller):
    for _ in range(2):
        Cohort.objects.create(project=cast.web, groups=[padding(21)], is_static=True)
    url = f"/api/projects/{cast.web.pk}/cohorts/"
    body = alice.get(url).json()
    assert (len(body["results"]), body["next"]) == (1, f"http://testserver{url}?limit=100&offset=1")
    assert alice.get(body["next"]).json()["next"] is None


@pytest.mark.parametrize("query", sampled(["?limit=5", "?limit=10", "?limit=30", "?limit=1000"], 2))
def test_pages_of_large_changes_hold_each_once(cast: Cast, alice: Caller, query: str):
    owner = {"organization": cast.acme, "project": cast.web, "user": cast.alice, "scope": "Cohort"}
    for number in range(30):
        detail = {"name": str(number), "changes": [], **(padding(3) if number % 3 else {})}
        ActivityLog.objects.create(**owner, item_id="1", activity="updated", detail=detail)
    found = pages(alice, f"/api/projects/{cast.web.pk}/cohorts/activity/{query}")
    assert [row["detail"]["name"] for page in found for row in page] == [str(each) for each in range(29, -1, -1)]


def test_pages_of_large_calculations_hold_each_once(cast: Cast, alice: Caller):
    cohort = Cohort.objects.create(project=cast.web)
    now = timezone.now()
    for number in range(20):
        started = now + timedelta(seconds=number)
        Calculation.objects.create(cohort=cohort, filters=padding(2), count=number, started_at=started)
    found = pages(alice, f"/api/projects/{cast.web.pk}/cohorts/{cohort.pk}/calculation_history/")
    assert [row["count"] for page in found for row in page] == list(range(19, -1, -1))
    assert len(found) == 3


@pytest.mark.parametrize("query", sampled(["", "?limit=7", "?search=person"], 2))
def test_pages_of_large_persons_hold_each_once(cast: Cast, alice: Caller, query: str):
    cohort = Cohort.objects.create(project=cast.web, is_static=True)
    now = timezone.now()
    for number in range(25):
        properties = {"name": f"person {number}", **padding(2)}
        person = Person.objects.create(
            project_id=cast.web.pk, properties=properties, created_at=now + timedelta(seconds=number)
        )
        CohortMember.objects.create(project_id=cast.web.pk, cohort_id=cohort.pk, person_uuid=person.uuid)
    found = pages(alice, f"/api/projects/{cast.web.pk}/cohorts/{cohort.pk}/persons/{query}")
    assert [row["name"] for page in found for row in page] == [f"person {each}" for each in range(24, -1, -1)]
