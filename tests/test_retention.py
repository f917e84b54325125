"""How long the history is kept, and what the hourly jobs delete."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from cohorts.calculation.run import calculate
from cohorts.models import Calculation, Cohort, Definition
from cohorts.tasks import forget_calculations
from core6.activity.models import ActivityLog
from core6.idempotency.models import Answer
from core6.tasks import forget_activity, forget_answers
from tests.conftest import Caller, Cast
from tests.support.cohorts.people import all_of, leaf, person


def history(cast: Cast, caller: Caller, cohort: Cohort) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = caller.get(
        f"/api/projects/{cast.web.pk}/cohorts/{cohort.pk}/calculation_history/?limit=1000"
    ).json()["results"]
    return rows


@pytest.fixture
def cohort(cast: Cast) -> Cohort:
    person(cast.web, "one", plan="pro")
    return Cohort.objects.create(project=cast.web, pending_version=1, filters=all_of(leaf("plan", value="pro")))


def test_the_newest_runs_of_each_cohort_are_kept(cast: Cast, alice: Caller, cohort: Cohort, settings: Any):
    settings.CALCULATION_HISTORY = 3
    other = Cohort.objects.create(project=cast.web, pending_version=1)
    for key in (cohort.pk, other.pk, *[cohort.pk] * 4):
        calculate(key)
    before = history(cast, alice, cohort)
    forget_calculations(0)
    assert history(cast, alice, cohort) == before[:3]
    assert len(history(cast, alice, other)) == 1


def test_a_run_that_has_not_ended_and_the_newest_failure_are_kept(cast: Cast, cohort: Cohort, settings: Any):
    settings.CALCULATION_HISTORY = 1
    now = timezone.now()
    for number, (finished_at, error) in enumerate([(now, "old"), (now, "new"), (None, None), (now, None), (now, None)]):
        started_at = now + timedelta(seconds=number)
        Calculation.objects.create(cohort=cohort, started_at=started_at, finished_at=finished_at, error=error)
    forget_calculations(0)
    kept = Calculation.objects.order_by("started_at")
    assert [(each.finished_at is None, each.error) for each in kept] == [(False, "new"), (True, None), (False, None)]


def test_criteria_and_their_statement_are_stored_once(cast: Cast, alice: Caller, cohort: Cohort):
    for _ in range(3):
        calculate(cohort.pk)
    changed = all_of(leaf("plan", value="free"))
    Cohort.objects.filter(pk=cohort.pk).update(filters=changed)
    calculate(cohort.pk)
    assert Definition.objects.count() == 2
    newest, *older = history(cast, alice, cohort)
    assert newest["filters"] == changed
    assert [each["filters"] for each in older] == [cohort.filters] * 3
    for each in (newest, *older):
        assert each["main_query"].startswith("SELECT")
        assert [query["query"] for query in each["queries"]] == [each["main_query"]]
    stored = Calculation.objects.values_list("filters", "queries")
    assert all(filters == {} and queries and queries[0]["query"] == "" for filters, queries in stored)


def test_definitions_that_no_run_has_are_deleted(cast: Cast, cohort: Cohort, settings: Any):
    settings.CALCULATION_HISTORY = 1
    calculate(cohort.pk)
    Cohort.objects.filter(pk=cohort.pk).update(filters=all_of(leaf("plan", value="free")))
    calculate(cohort.pk)
    forget_calculations(0)
    assert [each.filters for each in Definition.objects.all()] == [all_of(leaf("plan", value="free"))]


def test_a_project_is_deleted_with_its_runs_and_their_criteria(cast: Cast, alice: Caller, cohort: Cohort):
    calculate(cohort.pk)
    assert alice.delete(f"/api/projects/{cast.web.pk}/").status_code == 204
    assert not Calculation.objects.exists()
    assert not Definition.objects.exists()


def test_runs_of_an_earlier_release_show_their_own_criteria(cast: Cast, alice: Caller, cohort: Cohort):
    queries = [{"query": "SELECT 1", "query_ms": 5}]
    Calculation.objects.create(cohort=cohort, filters={"properties": {}}, queries=queries, finished_at=timezone.now())
    (shown,) = history(cast, alice, cohort)
    assert (shown["filters"], shown["queries"], shown["main_query"]) == ({"properties": {}}, queries, "SELECT 1")


def test_changes_are_kept_for_400_days(cast: Cast):
    owner = {"organization": cast.acme, "project": cast.web, "scope": "Cohort", "item_id": "1", "activity": "updated"}
    now = timezone.now()
    for days in (399, 401):
        ActivityLog.objects.create(**owner, created_at=now - timedelta(days=days))
    forget_activity(0)
    assert [(now - each.created_at).days for each in ActivityLog.objects.all()] == [399]


def test_answers_are_kept_for_a_day(cast: Cast, alice: Caller):
    for name in ("old", "new"):
        response = alice.post(f"/api/projects/{cast.web.pk}/annotations/", {}, headers={"Idempotency-Key": name})
        assert response.status_code == 201
    Answer.objects.filter(idempotency_key="old").update(created_at=timezone.now() - timedelta(hours=25))
    forget_answers(0)
    assert [each.idempotency_key for each in Answer.objects.all()] == ["new"]


def test_the_oldest_answers_of_an_organization_go_beyond_its_megabytes(cast: Cast, alice: Caller, settings: Any):
    settings.IDEMPOTENCY_MB = 1
    dave = cast.caller(cast.dave)
    for name in ("first", "second", "third"):
        sent = {"headers": {"Idempotency-Key": name}}
        assert alice.post(f"/api/projects/{cast.web.pk}/annotations/", {}, **sent).status_code == 201
        assert dave.post(f"/api/projects/{cast.globex_web.pk}/annotations/", {}, **sent).status_code == 201
    assert set(Answer.objects.values_list("organization", flat=True)) == {cast.acme.pk, cast.globex.pk}
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE idempotency_answer SET body = repeat('x', 400000) WHERE organization_id = %s", [cast.acme.pk]
        )
    forget_answers(0)
    kept = Answer.objects.defer("body").order_by("pk").values_list("organization", "idempotency_key")
    assert [name for organization, name in kept if organization == cast.acme.pk] == ["second", "third"]
    assert [name for organization, name in kept if organization == cast.globex.pk] == ["first", "second", "third"]
