"""The first page of the console: numbers, charts, links to what is wrong; nothing for a user without the right."""

import html
import re
from datetime import timedelta

from django.test import Client
from django.utils import timezone

from cohorts.calculation.run import calculate
from cohorts.models import Calculation, Cohort
from core6.accounts.models import PersonalAPIKey, User
from core6.analytics.models import Person
from core6.traffic.counter import Counter
from tests.conftest import Cast
from tests.console.conftest import Console, address, place

REGEX = {"type": "person", "key": "email", "operator": "regex", "value": "("}
BROKEN = {"properties": {"type": "AND", "values": [{"type": "AND", "values": [REGEX]}]}}


def text_of(page: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))


def test_the_numbers_are_those_of_the_database(console: Console, cast: Cast):
    cast.caller(cast.bob).get("/api/users/@me/")
    cast.key(cast.carol)
    Person.objects.create(project_id=cast.web.pk)
    Cohort.objects.create(project=cast.web, name="Fails", errors_calculating=2)
    Cohort.objects.create(project=cast.app, name="Works")
    Cohort.objects.create(project=cast.app, name="Gone", deleted=True, errors_calculating=1)
    text = text_of(console.read("/admin/"))
    assert "4 projects in 2 organizations" in text
    assert "1 person" in text
    assert "0 events in all projects" in text
    assert "1 key in use of 2, within 30 days" in text
    assert "1 cohort failing of 2" in text
    for path in (place(PersonalAPIKey) + "?use=month", place(Cohort) + "?state=failing"):
        assert html.escape(path) in console.read("/admin/")


def test_bad_findings_come_first_and_lead_to_the_cohort(console: Console, cast: Cast):
    cohort = Cohort.objects.create(project=cast.web, name="Broken", filters=BROKEN, pending_version=1)
    calculate(cohort.pk)
    page = console.read("/admin/")
    states = re.findall(r'data-state="(\w+)"', page)
    assert states == sorted(states, key=["bad", "warning", "ok"].index)
    assert states[0] == "warning"
    assert f'<a href="{address(cohort)}">failing cohorts</a>' in page
    assert page.index("Needs attention") < page.index("numbers-title") < page.index("Healthy")
    assert len(re.findall(r'class="core6-finding"><a href="/admin/', page)) == len(states)


def test_requests_and_errors_of_the_last_hour_are_drawn_and_said(console: Console):
    assert "0 requests of the API in the last hour" in text_of(console.read("/admin/"))
    counter = Counter()
    for status in (200, 201, 404, 500):
        counter.count(status)
    counter.write()
    page = console.read("/admin/")
    said = "4 requests of the API in the last hour, at most 4 a minute; 1 refused (4xx), 1 failed (5xx)."
    assert f'<div role="img" aria-label="{said}">' in page
    assert said in text_of(page)
    assert 'data-type="bar"' in page


def test_calculations_of_the_last_day_are_counted(console: Console, cast: Cast):
    cohort = Cohort.objects.create(project=cast.web, name="Some")
    for error in ("", "", "division by zero"):
        Calculation.objects.create(cohort=cohort, error=error or None, finished_at=timezone.now())
    Calculation.objects.create(cohort=cohort, started_at=timezone.now() - timedelta(days=3))
    assert "3 calculations of cohorts in the last 24 hours, 1 failed." in text_of(console.read("/admin/"))


def test_the_latest_changes_are_named(console: Console, cast: Cast):
    cast.caller(cast.bob).patch(f"/api/projects/{cast.web.pk}/", {"name": "Website"})
    text = text_of(console.read("/admin/"))
    assert "Project “Website”: updated bob@example.com, just now" in text


def test_dave_who_has_no_right_sees_nothing_of_acme(cast: Cast):
    browser = Client()
    browser.force_login(User.objects.get(pk=cast.dave.pk))
    answer = browser.get("/admin/")
    assert (answer.status_code, answer.content) == (302, b"")
    assert answer.headers["Location"].startswith("/admin/login/")
