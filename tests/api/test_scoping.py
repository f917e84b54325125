import pytest
from django.core.exceptions import ImproperlyConfigured

from annotations.views import AnnotationViewSet
from core6.accounts.models import Membership
from core6.api.routers import Router
from projects.models import Project
from tests.conftest import Caller, Cast, missing

CURRENT = "/api/projects/@current/annotations/"


def name_of_current(caller: Caller) -> str:
    created = caller.post(CURRENT, {"scope": "project"})
    assert created.status_code == 201
    found = [
        project.name
        for project in Project.objects.all()
        if caller.get(f"/api/projects/{project.pk}/annotations/{created.json()['id']}/").status_code == 200
    ]
    assert len(found) == 1
    return found[0]


def test_current_is_the_first_project_of_the_first_organization(cast: Cast, alice: Caller):
    assert name_of_current(alice) == "Web"


def test_current_is_what_the_user_last_looked_at(cast: Cast, alice: Caller):
    cast.alice.current_project = cast.app
    cast.alice.save()
    assert name_of_current(alice) == "App"


def test_current_follows_the_current_organization(cast: Cast, alice: Caller):
    Membership.objects.create(organization=cast.globex, user=cast.alice)
    cast.globex_web.name = "Globex Web"
    cast.globex_web.save()
    assert name_of_current(alice) == "Web"
    cast.alice.current_organization = cast.globex
    cast.alice.save()
    assert name_of_current(alice) == "Globex Web"


def test_current_is_never_a_project_that_the_user_has_left(cast: Cast, alice: Caller):
    cast.alice.current_project = cast.globex_web
    cast.alice.current_organization = cast.globex
    cast.alice.save()
    assert name_of_current(alice) == "Web"


def test_current_of_nobodys_member_is_not_found(cast: Cast, alice: Caller):
    Membership.objects.all().delete()
    response = alice.get(CURRENT)
    assert (response.status_code, response.json()) == (404, missing("Project not found."))


def test_a_restricted_key_is_held_to_its_project_under_current_too(cast: Cast):
    caller = cast.caller(cast.alice, scoped_teams=[cast.app.pk])
    assert caller.get(CURRENT).status_code == 403


@pytest.mark.parametrize("scope", ["", "annotations", "nonsense"])
def test_a_viewset_without_a_known_scope_stops_the_start(scope: str):
    class Unscoped(AnnotationViewSet):
        pass

    Unscoped.scope = scope
    router = Router()
    router.register("unscoped", Unscoped, basename="unscoped")
    with pytest.raises(ImproperlyConfigured, match="Unscoped declares no known scope"):
        _ = router.urls
