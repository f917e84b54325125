"""The demo world, which the first start with an empty database provisions."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Min
from django.utils import timezone

from annotations.models import Annotation
from cohorts.criteria.parse import leaves, load
from cohorts.models import Calculation, Cohort
from core6.analytics.models import Event, Person
from core6.provisioning.provision import provision_text
from core6.serving.demo_world import DEMO_WORLD
from roles.models import Role
from tests.support.cohorts.people import work

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo() -> dict[str, Any]:
    """The organization of the demo world, with what the job worker has computed."""
    made = provision_text(DEMO_WORLD.read_text(), base=DEMO_WORLD.parent)["organizations"]["Acme"]
    work()
    return made


def test_sixty_persons_did_something_in_the_last_four_weeks(demo: dict[str, Any]):
    assert list(demo["projects"]) == ["Web"]
    web = demo["projects"]["Web"]
    assert web["person_count"] == Person.objects.count() == 60
    assert 500 < web["event_count"] < 1_500
    age = timezone.now() - Event.objects.aggregate(oldest=Min("timestamp"))["oldest"]
    assert timedelta(weeks=3, days=6) < age < timedelta(weeks=4)
    weeks = {(timezone.now() - at).days // 7 for at in Event.objects.values_list("timestamp", flat=True)}
    assert weeks == {0, 1, 2, 3}


def test_cohorts_of_every_kind_have_some_of_them_as_members(demo: dict[str, Any]):
    cohorts = {each.name: each for each in Cohort.objects.order_by("pk")}
    assert [{"id": each.pk} for each in cohorts.values()] == list(demo["projects"]["Web"]["cohorts"].values())
    broken = cohorts.pop("Fails on purpose")
    kinds = set()
    for cohort in cohorts.values():
        assert (cohort.is_calculating, cohort.errors_calculating) == (False, 0)
        assert cohort.count is not None
        assert 4 < cohort.count < 50
        found = [] if cohort.is_static else leaves(load(cohort.filters).properties)
        kinds |= {each.value if each.type == "behavioral" else each.type for each in found} or {"static"}
    assert kinds == {"static", "person", "cohort", "performed_event_multiple", "performed_event_sequence"}
    assert (broken.errors_calculating, broken.count) == (1, None)
    assert Calculation.objects.exclude(error=None).get().cohort == broken


def test_annotations_and_roles_have_authors(demo: dict[str, Any]):
    notes = Annotation.objects.all()
    assert {each.scope for each in notes} == {"project", "dashboard", "dashboard_item", "organization"}
    assert {each.creation_type for each in notes} == {"USR", "GIT"}
    for model in (Annotation, Role, Cohort):
        assert not model._default_manager.filter(created_by=None).exists()
    ages = [timezone.now() - each.date_marker for each in notes if each.date_marker]
    assert (len(ages), max(ages) < timedelta(weeks=4)) == (5, True)
    assert list(demo["roles"]) == ["Engineering", "Marketing", "Support"]
