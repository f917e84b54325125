"""Projects, annotations, cohorts and jobs: the buttons do what the API does, and say so where it does."""

import html
import re
from typing import Any

import pytest
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from annotations.models import Annotation
from cohorts.calculation.run import calculate
from cohorts.models import Calculation, Cohort
from core6.activity.models import ActivityLog
from core6.console.home import OVERVIEW
from core6.diagnosis.doctor import QUESTIONS
from core6.security.masking import mask_key
from projects.models import Project
from tests.conftest import Cast
from tests.console.conftest import Console, address, errors, place


def history(scope: str) -> list[tuple[str, str, str]]:
    """Return the activity, newest first: by whom, what was done, the fields."""
    rows = ActivityLog.objects.filter(scope=scope).order_by("-id").select_related("user")
    return [
        (row.user.email if row.user else "", row.activity, ",".join(e["field"] for e in row.detail["changes"] or []))
        for row in rows
    ]


def test_a_project_is_made_as_by_the_api(console: Console, cast: Cast):
    made = console.fill(place(Project, "add/"), organization=cast.acme.pk, name="Shop")
    assert made.status_code == 302
    project = Project.objects.get(name="Shop")
    assert made.headers["Location"] in (place(Project), address(project))
    assert project.primary_dashboard is not None
    assert project.primary_dashboard.name == "My App Dashboard"
    assert history("Project") == [("alice@example.com", "created", "")]


def test_a_project_is_renamed_and_that_is_in_the_activity(console: Console, cast: Cast):
    token = cast.web.api_token
    assert console.fill(address(cast.web), name="Website", api_token="phc_stolen").status_code == 302
    cast.web.refresh_from_db()
    assert (cast.web.name, cast.web.api_token) == ("Website", token)
    assert history("Project") == [("alice@example.com", "updated", "name")]


def test_a_project_without_a_name_is_refused(console: Console, cast: Cast):
    assert "This field is required." in errors(console.fill(address(cast.web), name=None))
    assert history("Project") == []


def test_the_buttons_of_a_project_do_what_the_api_does(console: Console, cast: Cast):
    before = cast.web.api_token
    for button in ("reset_token", "rotate_secret_token", "rotate_secret_token", "generate_conversations_public_token"):
        assert console.press(cast.web, button).status_code == 302
    cast.web.refresh_from_db()
    assert cast.web.api_token != before
    assert cast.web.secret_api_token
    assert cast.web.secret_api_token_backup
    assert cast.web.conversations_settings["widget_public_token"].startswith("phc_")
    assert [fields for *_, fields in history("Team")] == [
        *("conversations_settings.widget_public_token", "secret_api_token", "secret_api_token", "api_token"),
    ]
    assert console.press(cast.web, "delete_secret_token_backup").status_code == 302
    cast.web.refresh_from_db()
    assert cast.web.secret_api_token_backup is None
    assert history("Team")[0] == ("alice@example.com", "updated", "secret_api_token_backup")


def test_a_backup_that_is_not_there_is_no_news(console: Console, cast: Cast):
    assert console.press(cast.web, "delete_secret_token_backup").status_code == 302
    assert "The project has no previous secret." in console.read(address(cast.web))
    assert history("Team") == []


def test_the_secrets_of_a_project_are_masked(console: Console, cast: Cast):
    for _ in range(2):
        console.press(cast.web, "rotate_secret_token")
    cast.web.refresh_from_db()
    pages = [console.read(path) for path in (place(Project), address(cast.web), address(cast.web, "history"))]
    for secret in (cast.web.secret_api_token, cast.web.secret_api_token_backup):
        assert secret is not None
        assert mask_key(secret) in pages[1]
        assert not any(secret in page for page in pages)


def test_a_button_of_what_is_gone_is_404(console: Console, cast: Cast):
    path = address(cast.web, "reset_token")
    cast.web.delete()
    assert console.client.post(path, {"_form_submitted": "True"}).status_code == 404


@pytest.fixture
def annotation(cast: Cast) -> Annotation:
    return Annotation.objects.create(
        organization=cast.acme, project=cast.web, content="We launched", created_by=cast.bob, scope="project"
    )


def test_an_annotation_is_corrected_and_that_is_in_the_activity(console: Console, cast: Cast, annotation: Annotation):
    api, path = cast.caller(cast.carol), f"/api/projects/{cast.web.pk}/annotations/{annotation.pk}/"
    assert api.get(path).json()["content"] == "We launched"
    assert console.fill(address(annotation), content="We launched again").status_code == 302
    after = api.get(path).json()
    assert (after["content"], after["scope"]) == ("We launched again", "project")
    assert after["updated_at"] > annotation.updated_at.isoformat().replace("+00:00", "Z")
    (row,) = ActivityLog.objects.all()
    entry = {"type": "Annotation", "action": "changed", "field": "content"}
    assert row.detail["changes"] == [{**entry, "before": "We launched", "after": "We launched again"}]
    assert (row.user, row.project, row.detail["name"]) == (cast.alice, cast.web, "We launched again")


def test_the_activity_has_a_time_as_the_api_writes_it(console: Console, cast: Cast, annotation: Annotation):
    given = {"date_marker_0": "2026-11-27", "date_marker_1": "10:00:00"}
    assert console.fill(address(annotation), **given).status_code == 302
    by_console = ActivityLog.objects.get().detail["changes"]
    other = Annotation.objects.create(organization=cast.acme, project=cast.web, scope="project")
    body = {"date_marker": "2026-11-27T10:00:00Z"}
    cast.caller(cast.alice).patch(f"/api/projects/{cast.web.pk}/annotations/{other.pk}/", body)
    assert ActivityLog.objects.latest("created_at").detail["changes"] == by_console


def test_an_annotation_is_hidden_and_brought_back(console: Console, cast: Cast, annotation: Annotation):
    api, path = cast.caller(cast.carol), f"/api/projects/{cast.web.pk}/annotations/"
    assert console.fill(address(annotation), deleted="on").status_code == 302
    assert api.get(path).json()["count"] == 0
    assert console.fill(address(annotation), deleted=None).status_code == 302
    assert api.get(path).json()["count"] == 1


def test_a_form_that_changes_nothing_leaves_no_activity(console: Console, annotation: Annotation):
    assert console.fill(address(annotation)).status_code == 302
    assert history("Annotation") == []


def filters(value: str, operator: str = "exact") -> dict[str, Any]:
    leaf = {"type": "person", "key": "email", "operator": operator, "value": value}
    return {"properties": {"type": "AND", "values": [{"type": "AND", "values": [leaf]}]}}


def jobs(lock: str) -> int:
    return int(ProcrastinateJob.objects.filter(lock=lock, status="todo").count())


def test_a_failing_cohort_shows_why_and_is_computed_again(console: Console, cast: Cast):
    cohort = Cohort.objects.create(
        project=cast.web, name="Broken", filters=filters("(", "regex"), pending_version=1, is_calculating=True
    )
    assert console.rows(Cohort, state="calculating") == {cohort.pk}
    calculate(cohort.pk)
    assert console.rows(Cohort, state="failing") == {cohort.pk}
    for path in (place(Cohort), address(cohort), "/admin/"):
        assert "regular expression" in console.read(path), path
    Cohort.objects.filter(pk=cohort.pk).update(filters=filters("a@example.com"))
    assert console.press(cohort, "recalculate").status_code == 302
    assert jobs(f"cohort:{cohort.pk}") == 1
    calculate(cohort.pk)
    assert console.rows(Cohort, state="computed") == {cohort.pk}
    assert "regular expression" not in console.read("/admin/")


@pytest.mark.parametrize(("state", "fields"), [("static", {"is_static": True}), ("deleted", {"deleted": True})])
def test_what_is_not_computed_is_not_computed(console: Console, cast: Cast, state: str, fields: dict[str, bool]):
    cohort = Cohort.objects.create(project=cast.web, name="Still", **fields)
    assert console.rows(Cohort, state=state) == {cohort.pk}
    assert console.press(cohort, "recalculate").status_code == 302
    assert f"A {state} cohort is not computed." in console.read(address(cohort))
    assert jobs(f"cohort:{cohort.pk}") == 0


def test_the_first_page_asks_only_what_the_doctor_knows():
    assert set(OVERVIEW) <= {question.name for question in QUESTIONS}


def test_a_cohort_that_waits_for_a_failing_one_is_named_on_the_first_page(console: Console, cast: Cast):
    broken = Cohort.objects.create(project=cast.web, name="Broken", filters=filters("(", "regex"), pending_version=1)
    calculate(broken.pk)
    assert "Broken" in console.read("/admin/")


@pytest.mark.parametrize(("status", "queued"), [("failed", 1), ("doing", 0), ("todo", 1)])
def test_a_failed_job_is_tried_again_and_no_other(console: Console, cast: Cast, status: str, queued: int):
    key = app.configure_task("cohorts.tasks.calculate_cohort", lock="cohort:1").defer(cohort_id=1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = %s WHERE id = %s", [status, key])
    job = ProcrastinateJob.objects.get(pk=key)
    assert console.rows(ProcrastinateJob, status=status) == {key}
    assert console.press(job, "retry").status_code == 302
    assert jobs("cohort:1") == queued
    assert ("Only a failed job can be tried again." in console.read(address(job))) == (status != "failed")


def test_the_token_of_a_project_is_shown_first_and_its_buttons_beside_it(console: Console, cast: Cast):
    page = console.read(address(cast.web))
    assert page.index(cast.web.api_token) < page.index("Settings")
    for button in (
        *("reset_token", "rotate_secret_token", "delete_secret_token_backup", "generate_conversations_public_token"),
    ):
        assert page.count(f'hx-get="{address(cast.web, button)}"') == 1, button


@pytest.mark.parametrize("model", [ProcrastinateJob, ActivityLog, Cohort, Project, Annotation])
def test_no_page_names_a_framework_or_an_object_by_its_class(
    console: Console, cast: Cast, annotation: Annotation, model: type[Any]
):
    cohort = Cohort.objects.create(project=cast.web, name="Some")
    Calculation.objects.create(cohort=cohort, error="too long", error_code="timeout")
    app.configure_task("cohorts.tasks.calculate_cohort", lock="cohort:1").defer(cohort_id=1)
    console.fill(address(cast.web), name="Website")
    obj = model.objects.earliest("pk")
    for path in (place(model), place(model) + "?q=nothing", address(obj)):
        text = html.unescape(
            " ".join(re.sub(r"<script.*?</script>|<[^>]+>", " ", console.read(path), flags=re.DOTALL).split())
        )
        assert not re.search(r"\bDjango\b|\bUnfold\b|Procrastinate|object \(", text, re.IGNORECASE), (path, text)
