"""An answer that is kept in memory, or known to a client by its ETag, ends with the right to read it."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, Final

import pytest

from core6.accounts.models import Level, Membership, PersonalAPIKey, User
from projects.models import Project
from tests.attacks.marked_world import MARK, World, taken_back
from tests.conftest import Caller
from tests.support.routes import api_routes
from tests.support.sampling import sampled

pytestmark = pytest.mark.django_db
#: A copy is made by that GET, so that it has no tag.
READ: Final = tuple(
    template for template, route in api_routes().items() if "GET" in route.methods and "duplicate" not in template
)


def bobs_keys(world: World) -> Any:
    return PersonalAPIKey.objects.filter(user=world.cast.bob)


CHANGES: Final[dict[str, Callable[[World], Any]]] = {
    "the scopes are taken away": lambda world: bobs_keys(world).update(scopes=[]),
    "the scopes are null": lambda world: bobs_keys(world).update(scopes=None),
    "the scope is another one": lambda world: bobs_keys(world).update(scopes=["insight:read"]),
    "the key is of another project": lambda world: bobs_keys(world).update(scoped_teams=[world.cast.app.pk]),
    "the key is of another organization": lambda world: bobs_keys(world).update(
        scoped_organizations=[world.cast.globex.pk]
    ),
    "the user is deactivated": lambda world: User.objects.filter(pk=world.cast.bob.pk).update(is_active=False),
    "the key is revoked": lambda world: bobs_keys(world).delete(),
    "the user is gone": lambda world: User.objects.filter(pk=world.cast.bob.pk).delete(),
    "the membership is removed": lambda world: Membership.objects.filter(user=world.cast.bob).delete(),
    "the key is another user's": lambda world: bobs_keys(world).update(user=world.cast.dave),
    "the project has moved": lambda world: Project.objects.filter(organization=world.cast.acme).update(
        organization=world.cast.globex
    ),
}
_ELSEWHERE: Final = ("the key is of another organization", "the membership is removed", "the key is another user's")
#: Where an answer is about the caller, and after which changes it rightly is another one, and no refusal.
ABOUT_THE_CALLER: Final[dict[str, Sequence[str]]] = {
    "/api/users/@me/": ("the key is of another project", *_ELSEWHERE),
    "/api/personal_api_keys/@current/": (
        *("the scopes are taken away", "the scopes are null", "the scope is another one"),
        *("the key is of another project", *_ELSEWHERE),
    ),
    "/api/organizations/": _ELSEWHERE,
    "/api/projects/": _ELSEWHERE,
    "/api/environments/": _ELSEWHERE,
}


def stays(template: str, change: str) -> bool:
    """Return whether an address is rightly open after a change."""
    if change == "the project has moved":
        is_of_organization = template.startswith("/api/organizations/") and "/projects/{id}" not in template
        return is_of_organization or template in ABOUT_THE_CALLER
    return change in ABOUT_THE_CALLER.get(template, ())


#: What is read, after which change, with which tag in `If-None-Match`.
CASES: Final = sampled(
    [
        (template, change, sent)
        for template, change, sent in product(READ, CHANGES, ("none", "its tag", "any"))
        if not stays(template, change)
    ],
    4,
)


@pytest.fixture(scope="module")
def bob(world: World) -> Caller:
    return world.cast.caller(world.cast.bob)


@pytest.mark.parametrize("template", READ)
def test_the_next_read_is_refused(world: World, bob: Caller, template: str):
    path = world.at(template)
    bob.get("/api/users/@me/")  # notes the use of the key
    first, second = bob.get(path), bob.get(path)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first["ETag"] == second["ETag"]
    assert bob.client.get(path, headers={"If-None-Match": first["ETag"]}).status_code == 304
    tags = {"none": {}, "its tag": {"If-None-Match": first["ETag"]}, "any": {"If-None-Match": "*"}}
    found = []
    for name, sent in [case[1:] for case in CASES if case[0] == template]:
        with taken_back():
            CHANGES[name](world)
            answer = bob.client.get(path, headers=tags[sent])
            is_refused = answer.status_code in (401, 403, 404) and answer.json()["code"] in (
                *("authentication_failed", "permission_denied", "not_found"),
            )
            if not is_refused or MARK in answer.content.decode():
                found.append(f"{name}, {sent}: {answer.status_code}")
    assert found == []
    assert bob.get(path).status_code == 200  # every change was taken back


@pytest.mark.parametrize("template", ABOUT_THE_CALLER)
def test_what_is_about_the_caller_is_read_anew(world: World, bob: Caller, template: str):
    """It is what the same caller reads at an address where nothing is kept."""
    first = bob.get(template)
    assert first.status_code == 200
    for name in (each for each in CHANGES if stays(template, each)):
        with taken_back():
            CHANGES[name](world)
            fresh = bob.get(template, anew=name)
            assert fresh.status_code == 200, name
            assert bob.get(template).content == fresh.content, name
            known = bob.client.get(template, headers={"If-None-Match": first["ETag"]})
            assert (known.status_code == 304) == (fresh.content == first.content), name
            if name in ("the membership is removed", "the key is another user's"):
                assert world.cast.acme.name not in fresh.content.decode(), name


def test_a_lowered_level_shows_at_once(world: World, bob: Caller):
    path = world.at("/api/projects/{id}/")
    first = bob.get(path)
    assert first.json()["effective_membership_level"] == Level.ADMIN
    with taken_back():
        Membership.objects.filter(user=world.cast.bob).update(level=Level.MEMBER)
        answer = bob.client.get(path, headers={"If-None-Match": first["ETag"]})
        assert (answer.status_code, answer.json()["effective_membership_level"]) == (200, Level.MEMBER)


@pytest.mark.parametrize("template", READ)
def test_a_tag_of_somebody_else_opens_nothing(world: World, bob: Caller, template: str):
    path = world.at(template)
    tag = bob.get(path)["ETag"]
    for caller in (Caller(None), Caller("phx_unknown"), world.cast.caller(world.cast.dave, "insight:read")):
        for sent in (tag, "*", f'"x", {tag}'):
            answer = caller.client.get(path, headers={"If-None-Match": sent})
            is_own = template == "/api/personal_api_keys/@current/" and answer.status_code in (200, 304)
            assert answer.status_code in (401, 403, 404) or is_own
            assert MARK not in answer.content.decode()
