from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection
from django.utils import timezone

from cohorts.calculation import run as calculation
from cohorts.calculation.refresh import refresh_cohorts
from cohorts.members import store
from cohorts.models import Calculation, Cohort, CohortMember
from tests.conftest import Caller, Cast
from tests.support.cohorts.people import all_of, any_of, did, leaf, person, waiting, work
from tests.support.cohorts.people import members as members_of
from tests.support.urls import cohorts_url as url


def create(cast: Cast, alice: Caller, filters: dict, **fields: Any) -> dict:
    response = alice.post(url(cast), {"filters": filters, **fields})
    assert response.status_code == 201, response.json()
    return response.json()


def refer(*cohorts: dict, negation: bool = False) -> list[dict]:
    return [{"type": "cohort", "key": "id", "value": each["id"], "negation": negation} for each in cohorts]


def state(cast: Cast, alice: Caller, cohort: dict) -> tuple[bool, int | None, int | None, int | None]:
    body = alice.get(url(cast, cohort)).json()
    return body["is_calculating"], body["version"], body["pending_version"], body["count"]


def test_three_changes_without_a_run_are_one_run(cast: Cast, alice: Caller):
    person(cast.web, plan="free")
    cohort = create(cast, alice, all_of(leaf("plan", value="pro")))
    alice.patch(url(cast, cohort), {"name": "x"})
    body = alice.patch(url(cast, cohort), {"filters": all_of(leaf("plan", value="free"))}).json()
    assert (body["pending_version"], body["is_calculating"], body["version"]) == (3, True, None)
    assert work() == 1
    assert state(cast, alice, cohort) == (False, 3, 3, 1)


def test_members_are_replaced_by_difference(cast: Cast, alice: Caller):
    for name, plan in (("a", "pro"), ("b", "pro"), ("c", "free")):
        person(cast.web, name=name, plan=plan)
    cohort = create(cast, alice, all_of(leaf("plan", value="pro")))
    work()
    with connection.cursor() as cursor:
        cursor.execute("SELECT person_uuid, xmin::text FROM cohorts_cohortmember")
        before = dict(cursor.fetchall())
    alice.patch(url(cast, cohort), {"filters": all_of(leaf("name", value=["b", "c"]))})
    work()
    assert members_of(alice, cohort, cast.web) == {"b", "c"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT person_uuid, ctid::text FROM cohorts_cohortmember")
        after = {row[0] for row in cursor.fetchall()}
    assert len(after & set(before)) == 1
    run = Calculation.objects.order_by("-started_at").first()
    assert run is not None
    assert run.queries is not None
    assert (run.count, run.queries[0]["written_rows"]) == (2, 2)


def test_an_unchanged_cohort_writes_nothing(cast: Cast, alice: Caller):
    person(cast.web, plan="pro")
    cohort = create(cast, alice, all_of(leaf("plan", value="pro")))
    work()
    alice.patch(url(cast, cohort), {})
    work()
    newest = Calculation.objects.order_by("-started_at").values_list("queries", flat=True).first()
    assert newest is not None
    assert newest[0]["written_rows"] == 0


@pytest.mark.parametrize(
    ("criterion", "message"),
    [
        (leaf("name", "regex", "["), "invalid regular expression"),
        (leaf("name", value="a", negation=True), "An error occurred while calculating this cohort"),
        (leaf("name", "bananas", "a"), "An error occurred while calculating this cohort"),
        (
            {
                "type": "behavioral",
                "key": "e",
                "event_type": "events",
                "value": "performed_event_multiple",
                "operator_value": 0,
                "time_value": 1,
                "time_interval": "day",
            },
            "An error occurred while calculating this cohort",
        ),
    ],
)
def test_a_failure_is_counted_and_shown_and_keeps_the_members(cast: Cast, alice: Caller, criterion: dict, message: str):
    person(cast.web, name="a")
    good = all_of(leaf("name", value="a"))
    cohort = create(cast, alice, good)
    work()
    assert alice.patch(url(cast, cohort), {"filters": all_of(criterion)}).status_code == 200
    work()
    body = alice.get(url(cast, cohort)).json()
    assert (body["is_calculating"], body["version"], body["pending_version"], body["count"]) == (False, 1, 2, 1)
    assert (body["errors_calculating"], message in body["last_error_message"]) == (1, True)
    assert members_of(alice, cohort, cast.web) == {"a"}
    alice.patch(url(cast, cohort), {"filters": good})
    work()
    after = alice.get(url(cast, cohort)).json()
    assert (after["errors_calculating"], after["version"]) == (0, 3)


def test_a_definition_beyond_one_statement_fails_as_too_large(cast: Cast, alice: Caller):
    versions = [f"1.{i}.0" for i in range(9000)]
    cohort = create(cast, alice, all_of(leaf("v", "semver_caret", versions)))
    work()
    body = alice.get(url(cast, cohort)).json()
    assert (body["is_calculating"], body["errors_calculating"], body["count"]) == (False, 1, None)
    assert body["last_error_message"] == (
        "The definition of this cohort is too large: use fewer conditions or shorter lists."
    )


def test_a_first_failure_leaves_no_count(cast: Cast, alice: Caller):
    cohort = create(cast, alice, all_of(leaf("name", "regex", "[")))
    work()
    assert state(cast, alice, cohort) == (False, None, 1, None)


@pytest.mark.parametrize("sent", [{}, {"filters": None}, {"filters": {"properties": {"type": "OR", "values": []}}}])
def test_no_criteria_are_nobody_and_no_failure(cast: Cast, alice: Caller, sent: dict):
    person(cast.web, name="a")
    cohort = alice.post(url(cast), sent).json()
    work()
    body = alice.get(url(cast, cohort)).json()
    assert (body["count"], body["errors_calculating"], body["version"]) == (0, 0, 1)
    assert "no matching criteria" in body["last_error_message"]


def test_nested_cohorts_read_stored_members_in_order(cast: Cast, alice: Caller):
    for name, plan in (("a", "pro"), ("b", "free"), ("c", "pro")):
        person(cast.web, name=name, plan=plan)
    inner = create(cast, alice, all_of(leaf("plan", value="pro")))
    outer = create(cast, alice, all_of(*refer(inner), leaf("name", value="a", negation=True)))
    outermost = create(cast, alice, any_of(*refer(outer), leaf("name", value="b")))
    work()
    assert members_of(alice, outer, cast.web) == {"c"}
    assert members_of(alice, outermost, cast.web) == {"b", "c"}
    body = alice.patch(url(cast, inner), {"filters": all_of(leaf("plan", value="free"))}).json()
    assert body["is_calculating"]
    assert state(cast, alice, outermost)[0]
    work()
    assert members_of(alice, outer, cast.web) == {"b"}
    assert members_of(alice, outermost, cast.web) == {"b"}
    assert not Cohort.objects.filter(is_calculating=True).exists()


def test_a_change_queues_relatives_and_no_siblings(cast: Cast, alice: Caller):
    base = create(cast, alice, all_of(leaf("a", value=1)))
    left, right = (create(cast, alice, all_of(*refer(base), leaf(key, value=1))) for key in "bc")
    work()
    alice.patch(url(cast, left), {"name": "x"})
    queued = [arguments["cohort_id"] for _, arguments in waiting()]
    assert queued == [base["id"], left["id"]]
    assert not state(cast, alice, right)[0]


def test_a_cohort_of_another_project_and_an_unknown_one_match_nobody(cast: Cast, alice: Caller):
    person(cast.web, name="a")
    dave = cast.caller(cast.dave)
    theirs = dave.post(f"/api/projects/{cast.globex_web.pk}/cohorts/", {"is_static": True}).json()
    CohortMember.objects.create(
        project_id=cast.globex_web.pk, cohort_id=theirs["id"], person_uuid=person(cast.globex_web).uuid
    )
    for named in (theirs, {"id": 999999}, {"id": 10**30}):
        cohort = create(cast, alice, any_of(*refer(named), leaf("name", value="a")))
        work()
        assert members_of(alice, cohort, cast.web) == {"a"}


def test_a_deleted_cohort_matches_nobody(cast: Cast, alice: Caller):
    person(cast.web, name="a")
    inner = create(cast, alice, all_of(leaf("name", value="a")))
    outer = create(cast, alice, any_of(*refer(inner), leaf("name", value="b")))
    work()
    Cohort.objects.filter(pk=inner["id"]).update(deleted=True)
    alice.patch(url(cast, outer), {"name": "x"})
    work()
    assert members_of(alice, outer, cast.web) == set()


def test_every_run_leaves_a_row(cast: Cast, alice: Caller):
    person(cast.web, name="a")
    cohort = create(cast, alice, all_of(leaf("name", value="a")))
    work()
    alice.patch(url(cast, cohort), {"filters": all_of(leaf("name", "regex", "["))})
    work()
    history = alice.get(f"{url(cast, cohort)}calculation_history/", limit=1).json()
    assert (history["count"], history["next"], history["previous"]) == (2, "?limit=1&offset=1", None)
    (failed,) = history["results"]
    assert (failed["is_completed"], failed["is_successful"], failed["count"]) == (True, False, None)
    first = alice.get(f"{url(cast, cohort)}calculation_history/", limit=1, offset=1).json()
    assert (first["next"], first["previous"]) == (None, "?limit=1&offset=0")
    (good,) = first["results"]
    assert (good["is_successful"], good["count"], good["error"]) == (True, 1, None)
    assert good["filters"]["properties"]["values"][0]["value"] == "a"
    assert good["main_query"].startswith("SELECT p.uuid FROM analytics_person p")
    assert good["duration_seconds"] >= 0
    assert good["total_written_rows"] == 1


def test_a_cohort_that_is_deleted_or_made_static_is_not_computed(cast: Cast, alice: Caller):
    person(cast.web, name="a")
    for change in ({"deleted": True}, {"is_static": True}):
        cohort = create(cast, alice, all_of(leaf("name", value="a")))
        alice.patch(url(cast, cohort), change)
        work()
        assert state(cast, alice, cohort) == (False, None, 1, None)


def test_what_is_overtaken_is_dropped(cast: Cast, alice: Caller, monkeypatch: pytest.MonkeyPatch):
    person(cast.web, name="a")
    cohort = create(cast, alice, all_of(leaf("name", value="a")))

    def replace(*args: Any, **kwargs: Any) -> tuple[int, int]:
        Cohort.objects.filter(pk=cohort["id"]).update(deleted=True)
        return store.replace_members(*args, **kwargs)

    monkeypatch.setattr(calculation, "replace_members", replace)
    work()
    body = alice.get(url(cast, cohort)).json()
    assert (body["count"], body["errors_calculating"], body["is_calculating"]) == (None, 0, False)
    assert not CohortMember.objects.exists()


def test_cohorts_are_refreshed_when_they_are_due(cast: Cast, alice: Caller):
    cohort = create(cast, alice, all_of(leaf("name", value="a")))
    work()
    refresh_cohorts()
    assert waiting() == []
    Cohort.objects.update(last_calculation=timezone.now() - timedelta(minutes=16))
    refresh_cohorts()
    assert state(cast, alice, cohort)[:3] == (True, 1, 2)
    assert work() == 1
    assert state(cast, alice, cohort)[:3] == (False, 2, 2)


@pytest.mark.parametrize(
    ("errors", "minutes", "is_due"),
    [(1, 59, False), (1, 61, True), (2, 119, False), (2, 121, True), (21, 10**7, False)],
)
def test_a_failed_cohort_rests_longer_each_time(cast: Cast, alice: Caller, errors: int, minutes: int, is_due: bool):
    create(cast, alice, all_of(leaf("name", value="a")))
    work()
    failed = timezone.now() - timedelta(minutes=minutes)
    Cohort.objects.update(errors_calculating=errors, last_error_at=failed, last_calculation=None)
    refresh_cohorts()
    assert bool(waiting()) is is_due


def test_a_cohort_whose_job_is_lost_is_freed(cast: Cast, alice: Caller):
    inner = create(cast, alice, all_of(leaf("name", value="a")))
    outer = create(cast, alice, all_of(*refer(inner)))
    refresh_cohorts()
    assert state(cast, alice, outer)[0]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        refresh_cohorts()
    for cohort in (inner, outer):
        body = alice.get(url(cast, cohort)).json()
        assert (body["is_calculating"], body["errors_calculating"]) == (False, 1)


def test_a_database_that_is_away_is_no_failure_of_the_cohort(
    cast: Cast, alice: Caller, monkeypatch: pytest.MonkeyPatch
):
    cohort = create(cast, alice, all_of(leaf("name", value="a")))

    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(calculation, "replace_members", away)
    with pytest.raises(OperationalError):
        calculation.calculate(cohort["id"])
    assert state(cast, alice, cohort)[0]
    monkeypatch.undo()
    calculation.calculate(cohort["id"])
    assert state(cast, alice, cohort) == (False, 1, 1, 0)
    interrupted = Calculation.objects.order_by("started_at").first()
    assert interrupted is not None
    assert interrupted.error_code == "interrupted"


def test_another_time_zone_computes_the_cohorts_that_name_dates_again(cast: Cast, alice: Caller):
    person(cast.web, name="early", seen="2026-01-20T03:00:00Z")
    person(cast.web, name="late", seen="2026-01-20T06:00:00Z")
    dated = create(cast, alice, all_of(leaf("seen", "is_date_before", "2026-01-20")))
    other = create(cast, alice, all_of(leaf("name", "exact", "late")))
    work()
    assert members_of(alice, dated, cast.web) == set()
    project = f"/api/projects/{cast.web.pk}/"
    assert alice.patch(project, {"timezone": "America/New_York"}).status_code == 200
    work()
    assert members_of(alice, dated, cast.web) == {"early"}
    assert [alice.get(url(cast, each)).json()["version"] for each in (dated, other)] == [2, 1]
    assert alice.patch(project, {"timezone": "America/New_York"}).status_code == 200
    assert work() == 0


def test_another_first_day_of_the_week_computes_what_names_weeks_again(cast: Cast, alice: Caller):
    did(person(cast.web, name="on Sunday"), "paid", datetime(2026, 11, 15, 12, tzinfo=UTC))
    behavior = {"type": "behavioral", "key": "paid", "value": "performed_event", "event_type": "events"}
    with time_machine.travel(datetime(2026, 11, 25, 12, tzinfo=UTC)):
        cohort = create(cast, alice, all_of({**behavior, "explicit_datetime": "-1wStart"}))
        work()
        assert members_of(alice, cohort, cast.web) == {"on Sunday"}
        alice.patch(f"/api/projects/{cast.web.pk}/", {"week_start_day": 1})
        work()
        assert members_of(alice, cohort, cast.web) == set()


def test_an_end_of_the_time_is_kept_to(cast: Cast, alice: Caller):
    now = timezone.now()
    for name, days in (("both", (10, 100)), ("within", (30,))):
        who = person(cast.web, name=name)
        for each in days:
            did(who, "paid", now - timedelta(days=each))
    behavior = {"type": "behavioral", "key": "paid", "value": "performed_event", "event_type": "events"}
    cohort = create(cast, alice, all_of({**behavior, "explicit_datetime": "-60d", "explicit_datetime_to": "-20d"}))
    assert cohort["filters"]["properties"]["values"][0]["explicit_datetime_to"] == "-20d"
    work()
    assert members_of(alice, cohort, cast.web) == {"within"}


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        (r"(((((((.*)\7)*)\6)*)\5)*)$", "Back references are not supported in regular expressions: "),
        ("(a?){255}(a?){255}(a?){255}b{2}$", "The repetitions in a regular expression come to more than 512"),
        ("a(?!b)", "Look-around is not supported in regular expressions: "),
    ],
)
def test_an_expression_that_cannot_be_used_fails_at_once_with_a_sentence(
    cast: Cast, alice: Caller, pattern: str, sentence: str
):
    person(cast.web, name="a" * 30)
    cohort = create(cast, alice, all_of(leaf("name", "regex", pattern)))
    work()
    body = alice.get(url(cast, cohort)).json()
    assert (body["is_calculating"], body["errors_calculating"], body["count"]) == (False, 1, None)
    assert "invalid regular expression" in body["last_error_message"]
    (run,) = alice.get(f"{url(cast, cohort)}calculation_history/").json()["results"]
    assert run["error"].startswith(sentence)
    assert run["queries"] is None
