"""Every list and form of the console: as many statements for one row as for ten, search, filters, stored markup."""

from typing import Any

import pytest
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from annotations.models import Annotation
from cohorts.models import Calculation, Cohort
from core6.accounts.models import Membership, Organization, PersonalAPIKey, User
from core6.activity.models import ActivityLog
from core6.console.site import site
from core6.console.urls import urlpatterns
from projects.models import Project
from roles.models import Role, RoleMembership
from tests.conftest import Cast
from tests.console.conftest import Console, address, place
from tests.support.sampling import sampled

MARKUP = "<img src=x onerror=alert(1)>"


def make(number: int, cast: Cast) -> None:
    """Make one of everything, which holds one of everything, with markup wherever text goes."""
    text = f"{MARKUP} row{number}row"
    user = User.objects.create(email=f"u{number}@example.com", first_name=text, last_name=text, password="!")
    organization = Organization.objects.create(name=text)
    Membership.objects.create(organization=organization, user=cast.alice, level=15)
    member = Membership.objects.create(organization=cast.acme, user=user)
    project = Project.objects.create(organization=cast.acme, name=text, product_description=text)
    role = Role.objects.create(organization=cast.acme, name=text, created_by=user)
    RoleMembership.objects.create(role=role, organization_member=member)
    RoleMembership.objects.create(role=Role.objects.earliest("created_at"), organization_member=member) if (
        Role.objects.count() > 1
    ) else None
    Annotation.objects.create(organization=cast.acme, project=project, content=text, created_by=user)
    cohort = Cohort.objects.create(project=project, name=text, description=text, errors_calculating=1, created_by=user)
    Calculation.objects.create(cohort=cohort, error=text, error_code="unknown")
    Calculation.objects.create(cohort=Cohort.objects.earliest("pk"), error=text, error_code="unknown")
    cast.key(user)
    app.configure_task("cohorts.tasks.calculate_cohort", lock=f"cohort:{number}").defer(cohort_id=number, note=text)
    ActivityLog.objects.create(
        organization=cast.acme,
        project=project,
        user=user,
        scope="Cohort",
        item_id=text,
        activity="created",
        detail={"name": text},
    )


MODELS: list[Any] = [
    *(User, Organization, Project, Role, Annotation, Cohort, PersonalAPIKey, ProcrastinateJob, ActivityLog),
]


def first(model: type[models.Model]) -> models.Model:
    found = model._default_manager.filter(**{"user__email": "u0@example.com"} if model is PersonalAPIKey else {})
    order = {Project: "-pk", Organization: "-created_at", User: "-pk"}.get(model, "pk")
    return found.order_by(order)[0]


def test_every_list_is_tested():
    assert urlpatterns
    assert set(MODELS) == set(site._registry)


def statements_of(console: Console, path: str) -> int:
    console.read(path)  # what the process keeps from then on: the numbers of content types
    with CaptureQueriesContext(connection) as queries:
        console.read(path)
    return len(queries)


@pytest.mark.parametrize("model", sampled(MODELS, 2))
def test_a_list_takes_as_many_statements_for_ten_rows_as_for_one(
    console: Console, cast: Cast, model: type[models.Model]
):
    make(0, cast)
    few = statements_of(console, place(model))
    for number in range(1, 10):
        make(number, cast)
    assert statements_of(console, place(model)) == few
    assert few <= 7  # the session, the user, the count, the rows; the choices of filters


@pytest.mark.parametrize("model", sampled(MODELS, 2))
def test_a_form_takes_as_many_statements_for_ten_rows_as_for_one(
    console: Console, cast: Cast, model: type[models.Model]
):
    make(0, cast)
    path = address(first(model) if model not in (Role, Cohort) else model._default_manager.earliest("pk"))
    if model is Organization:
        path = address(cast.acme)
    few = statements_of(console, path)
    for number in range(1, 10):
        make(number, cast)
    assert statements_of(console, path) == few


@pytest.mark.parametrize("model", sampled(MODELS, 2))
def test_markup_that_is_stored_is_text(console: Console, cast: Cast, model: type[models.Model]):
    make(0, cast)
    pages = [console.read(place(model)), console.read(address(first(model)))]
    pages.append(console.read(address(first(model), "history")))
    assert not any("<img src=x" in page for page in pages)
    if model is not PersonalAPIKey:
        assert any("&lt;img src=x" in page or "\\u003Cimg" in page for page in pages)


SEARCHES = {
    User: "u3@example",
    Organization: "row3row",
    Project: "row3row",
    Role: "row3row",
    Annotation: "row3row",
    Cohort: "row3row",
    PersonalAPIKey: "u3@example",
    ProcrastinateJob: "cohort:3",
    ActivityLog: "u3@example",
}


@pytest.mark.parametrize("model", sampled(MODELS, 2))
def test_a_list_is_searched(console: Console, cast: Cast, model: type[models.Model]):
    for number in range(5):
        make(number, cast)
    assert len(console.rows(model)) >= 5
    assert len(console.rows(model, q=SEARCHES[model])) == 1
    assert console.rows(model, q="nothing is called so") == set()


@pytest.mark.parametrize("model", sampled(MODELS, 2))
def test_every_filter_of_a_list_filters(console: Console, cast: Cast, model: type[models.Model]):
    make(0, cast)
    specs = console.get(place(model)).context["cl"].filter_specs
    assert specs
    for spec in specs:
        for choice in spec.choices(console.get(place(model)).context["cl"]):
            if query := choice.get("query_string"):
                assert console.get(place(model) + query).status_code == 200, choice


@pytest.mark.parametrize("model", sampled(MODELS, 2))
def test_what_is_not_there_leads_back_to_where_one_was(console: Console, model: type[models.Model]):
    for key in ("4711", "00000000-0000-7000-8000-000000000000", "x", "9" * 30):
        assert console.get(f"{place(model)}{key}/change/").status_code == 302, key
    assert console.get(place(model), p="4711").status_code in (200, 302)
    assert console.get(place(model), nonsense="1").status_code == 302


@pytest.mark.parametrize("model", [ProcrastinateJob, ActivityLog])
def test_what_is_to_be_looked_at_cannot_be_written(console: Console, cast: Cast, model: type[models.Model]):
    make(0, cast)
    assert console.get(place(model, "add/")).status_code == 403
    for page in ("change", "delete"):
        assert console.client.post(address(first(model), page), {"post": "yes"}).status_code == 403


def test_a_cohort_is_made_by_the_api_alone(console: Console):
    assert console.get(place(Cohort, "add/")).status_code == 403


@pytest.mark.parametrize("model", [User, Organization, Project, Annotation, Cohort])
def test_nothing_is_deleted_that_others_name(console: Console, cast: Cast, model: type[models.Model]):
    make(0, cast)
    assert console.client.post(address(first(model), "delete"), {"post": "yes"}).status_code == 403
    deletion = {"action": "delete_selected", "_selected_action": first(model).pk, "post": "yes"}
    console.client.post(place(model), deletion)
    assert model._default_manager.filter(pk=first(model).pk).exists()
