"""A cohort in the console: its charts, and its filters, which are changed as by the API."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from cohorts.models import Calculation, Cohort
from core6.activity.models import ActivityLog
from tests.conftest import Cast
from tests.console.conftest import Console, address, errors, place


def filters(value: Any, operator: str = "exact") -> dict[str, Any]:
    leaf = {"type": "person", "key": "email", "operator": operator, "value": value}
    return {"properties": {"type": "AND", "values": [{"type": "AND", "values": [leaf]}]}}


@pytest.fixture
def cohort(cast: Cast) -> Cohort:
    path = f"/api/projects/{cast.web.pk}/cohorts/"
    made = cast.caller(cast.alice).post(path, {"name": "Some", "filters": filters("a@example.com")}).json()
    ProcrastinateJob.objects.all().delete()
    ActivityLog.objects.all().delete()
    return Cohort.objects.get(pk=made["id"])


def run(cohort: Cohort, minutes: int, count: int | None, error: str | None = None) -> None:
    started = timezone.now() - timedelta(minutes=minutes)
    finished = started + timedelta(seconds=2)
    Calculation.objects.create(
        cohort=cohort,
        started_at=started,
        finished_at=finished,
        count=count,
        error=error,
        error_code=error and "timeout",
    )


def test_filters_that_are_saved_are_what_the_api_returns_and_are_computed(console: Console, cast: Cast, cohort: Cohort):
    changed = console.fill(address(cohort), filters=json.dumps(filters("b@example.com")))
    assert changed.status_code == 302
    shown = cast.caller(cast.carol).get(f"/api/projects/{cast.web.pk}/cohorts/{cohort.pk}/").json()
    assert "b@example.com" in json.dumps(shown["filters"])
    assert shown["is_calculating"] is True
    assert ProcrastinateJob.objects.filter(lock=f"cohort:{cohort.pk}").count() == 1
    (row,) = ActivityLog.objects.all()
    assert (row.scope, row.activity, row.user, row.project) == ("Cohort", "updated", cast.alice, cast.web)
    assert {each["field"] for each in row.detail["changes"]} >= {"filters"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"properties": ', "Enter a valid JSON."),
        (
            json.dumps({"properties": {"type": "AND", "values": [{"type": "person"}]}}),
            "Missing required keys for person filter: key",
        ),
        ('{"properties": {"type": "XOR", "values": []}}', "AND"),
    ],
)
def test_filters_that_the_api_refuses_are_refused(console: Console, cohort: Cohort, text: str, complaint: str):
    assert complaint in errors(console.fill(address(cohort), filters=text))
    before = cohort.filters
    cohort.refresh_from_db()
    assert cohort.filters == before
    assert not ActivityLog.objects.exists()


def test_the_complaint_is_that_of_the_api(console: Console, cast: Cast, cohort: Cohort):
    loop = {
        "properties": {
            "type": "AND",
            "values": [{"type": "AND", "values": [{"type": "cohort", "key": "id", "value": cohort.pk}]}],
        }
    }
    path = f"/api/projects/{cast.web.pk}/cohorts/{cohort.pk}/"
    refused = cast.caller(cast.alice).patch(path, {"filters": loop}).json()["detail"]
    assert refused in errors(console.fill(address(cohort), filters=json.dumps(loop)))


def test_a_name_is_changed_and_nothing_else(console: Console, cohort: Cohort):
    before = cohort.filters
    assert console.fill(address(cohort), name="Others").status_code == 302
    cohort.refresh_from_db()
    assert (cohort.name, cohort.filters) == ("Others", before)
    (row,) = ActivityLog.objects.all()
    assert [each["field"] for each in row.detail["changes"]] == ["name"]


def test_a_form_that_changes_nothing_computes_nothing(console: Console, cohort: Cohort):
    assert console.fill(address(cohort)).status_code == 302
    assert not ProcrastinateJob.objects.exists()
    assert not ActivityLog.objects.exists()


def test_a_static_cohort_shows_its_filters_as_text(console: Console, cast: Cast):
    fixed = Cohort.objects.create(project=cast.web, name="Fixed", is_static=True, filters=filters("x@example.com"))
    page = console.read(address(fixed))
    assert 'name="filters"' not in page
    assert "x@example.com" in page
    assert console.fill(address(fixed), name="Still fixed").status_code == 302


def test_charts_show_members_failures_and_seconds(console: Console, cohort: Cohort):
    assert "Members over time" not in console.read(address(cohort))
    run(cohort, 30, 5)
    run(cohort, 20, None, "canceling statement")
    run(cohort, 10, 8)
    page = console.read(address(cohort))
    assert 'aria-label="5 to 8 members, now 8; 1 of the latest 3 calculations failed."' in page
    assert 'aria-label="At most 2 s, the latest 2 s."' in page
    assert '<div class="core6-scroll" tabindex="0" role="region" aria-label="Members over time: the numbers">' in page


def test_a_list_shows_the_trend_and_how_long_ago(console: Console, cohort: Cohort):
    run(cohort, 30, 5)
    run(cohort, 20, None, "canceling statement")
    Cohort.objects.filter(pk=cohort.pk).update(last_calculation=timezone.now() - timedelta(days=2, hours=3))
    page = console.read(place(Cohort))
    assert 'aria-label="5 members in 1 calculation, 1 failed"' in page
    assert re.search(r'<time datetime="[^"]+" title="\d{4}-\d\d-\d\d \d\d:\d\d:\d\d">2 days ago</time>', page)


def test_dave_who_has_no_right_changes_no_cohort(cast: Cast, cohort: Cohort):
    browser = Client()
    browser.force_login(cast.dave)
    for answer in (browser.get(address(cohort)), browser.post(address(cohort), {"name": "Mine", "filters": "{}"})):
        assert (answer.status_code, answer.content) == (302, b"")
        assert answer.headers["Location"].startswith("/admin/login/")
    cohort.refresh_from_db()
    assert cohort.name == "Some"
