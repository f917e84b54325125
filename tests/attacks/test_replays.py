"""The answer to an `Idempotency-Key` belongs to one key, one address and one body, and ends with the right to it."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from core6.accounts import keys
from core6.accounts.models import Level, Membership, PersonalAPIKey, User
from core6.idempotency.models import Answer
from tests.attacks.marked_world import MARK, World, taken_back
from tests.conftest import Caller
from tests.support.database_state import state
from tests.support.routes import api_routes
from tests.support.sampling import sampled

pytestmark = pytest.mark.django_db
POSTS: Final = tuple(template for template, route in api_routes().items() if "POST" in route.methods)
#: Those that are about something of Acme, which the path names.
ABOUT_ACME: Final = tuple(template for template in POSTS if "{" in template)
NAME: Final = {"Idempotency-Key": "once"}


def send(caller: Caller, path: str, body: Any, **extra: Any) -> Any:
    return caller.post(path, body, headers=NAME, **extra)


@pytest.fixture
def bob(world: World) -> Caller:
    """Return a key of the administrator of Acme, which has been used."""
    caller = world.cast.caller(world.cast.bob)
    caller.get("/api/users/@me/")
    return caller


@pytest.fixture(autouse=True)
def everything_is_taken_back(world: World) -> Iterator[None]:
    with taken_back():
        yield


def body_of(world: World, template: str) -> dict[str, Any]:
    return {**world.body, "name": "new", "is_static": True, "_create_static_person_ids": []} | (
        {"user_uuid": str(world.cast.carol.uuid)} if "memberships" in template else {}
    )


def first(world: World, caller: Caller, template: str) -> tuple[str, str, Any]:
    """Send a POST with the key; return its path, its body and its answer."""
    path, body = world.at(template), json.dumps(body_of(world, template))
    answer = send(caller, path, body)
    assert answer.status_code in (200, 201), answer.content
    assert Answer.objects.count() == 1
    again = send(caller, path, body)
    assert (again.content, again["Idempotency-Replayed"]) == (answer.content, "true")
    return path, body, answer


def key_of(world: World) -> Any:
    return PersonalAPIKey.objects.filter(user=world.cast.bob)


CHANGES: Final[dict[str, Callable[[World], Any]]] = {
    "the scopes are taken away": lambda world: key_of(world).update(scopes=[]),
    "the key may read alone": lambda world: key_of(world).update(
        scopes=["project:read", "organization:read", "annotation:read", "cohort:read"]
    ),
    "the key is of another project": lambda world: key_of(world).update(scoped_teams=[world.cast.app.pk]),
    "the key is of another organization": lambda world: key_of(world).update(
        scoped_organizations=[world.cast.globex.pk]
    ),
    "the user is deactivated": lambda world: User.objects.filter(pk=world.cast.bob.pk).update(is_active=False),
    "the key is revoked": lambda world: key_of(world).delete(),
    "the membership is removed": lambda world: Membership.objects.filter(user=world.cast.bob).delete(),
    "the key is another user's": lambda world: key_of(world).update(user=world.cast.dave),
}


@pytest.mark.parametrize(
    ("template", "change"), sampled([(template, change) for template in POSTS for change in CHANGES], 3)
)
def test_a_replay_is_refused_once_the_right_is_gone(world: World, bob: Caller, template: str, change: str):
    path, body, _ = first(world, bob, template)
    CHANGES[change](world)
    before = state()
    replay = send(bob, path, body)
    if template in ("/api/projects/", "/api/environments/") and change == "the key is another user's":
        # Its new owner makes a project of Globex by another request, or is refused the used name.
        assert replay.status_code == 422
    else:
        assert replay.status_code in (401, 403, 404), replay.content
    assert "Idempotency-Replayed" not in replay
    assert MARK not in replay.content.decode()
    assert state() == before


#: What a member may not do.
OF_ADMINISTRATORS: Final = [each for each in ABOUT_ACME if "annotations" not in each and "cohorts" not in each]


@pytest.mark.parametrize("template", sampled(OF_ADMINISTRATORS, 2))
def test_a_replay_is_refused_once_the_level_is_too_low(world: World, bob: Caller, template: str):
    path, body, _ = first(world, bob, template)
    Membership.objects.filter(user=world.cast.bob).update(level=Level.MEMBER)
    replay = send(bob, path, body)
    assert (replay.status_code, "Idempotency-Replayed" in replay) == (403, False)


@pytest.mark.parametrize("template", sampled(POSTS, 2))
def test_nobody_else_gets_the_answer(world: World, bob: Caller, template: str):
    """Another key of the same user, of a colleague and of a stranger is another caller, whatever it sends."""
    path, body, answer = first(world, bob, template)
    cast = world.cast
    others = {
        "a second key of bob": cast.caller(cast.bob),
        "alice": cast.caller(cast.alice),
        "dave": cast.caller(cast.dave),
        "bob's key for another project": cast.caller(cast.bob, scoped_teams=[cast.app.pk]),
        "nobody": Caller(None),
    }
    for name, caller in others.items():
        with taken_back():
            other = send(caller, path, body)
            assert "Idempotency-Replayed" not in other, name
            if name in ("dave", "nobody"):
                assert other.content != answer.content
                assert MARK not in other.content.decode()
    # Those attempts took nothing from the one whose answer it is.
    assert send(bob, path, body).content == answer.content


def test_a_key_that_is_made_again_of_the_same_text_has_no_answers(world: World, bob: Caller):
    path, body, answer = first(world, bob, "/api/projects/{project_id}/annotations/")
    key_of(world).delete()
    PersonalAPIKey.objects.create(
        user=world.cast.bob, label="again", secure_value=keys.digest(str(bob.key)), scopes=["*"]
    )
    replay = send(bob, path, body)
    assert (replay.status_code, "Idempotency-Replayed" in replay) == (201, False)
    assert replay.json()["id"] != answer.json()["id"]


BODY: Final = '{"content": "once", "scope": "project"}'
OTHER_BODIES: Final[dict[str, tuple[str | bytes, str]]] = {
    "another order": ('{"scope": "project", "content": "once"}', "application/json"),
    "another blank": ('{"content":  "once", "scope": "project"}', "application/json"),
    "a line feed": (BODY + "\n", "application/json"),
    "an escape": ('{"content": "\\u006fnce", "scope": "project"}', "application/json"),
    "a field twice": ('{"content": "once", "scope": "project", "scope": "project"}', "application/json"),
    "one field more": ('{"content": "once", "scope": "project", "deleted": false}', "application/json"),
    "nothing": ("", "application/json"),
    "an empty object": ("{}", "application/json"),
    "a form": ("content=once&scope=project", "application/x-www-form-urlencoded"),
    "no JSON": ('{"content": ', "application/json"),
    "no text": (b"\xff\xfe", "application/json"),
    "NUL behind it": (BODY.encode() + b"\0", "application/json"),
}


@pytest.mark.parametrize("other", OTHER_BODIES)
def test_another_body_is_refused(world: World, bob: Caller, other: str):
    path = world.at("/api/projects/{project_id}/annotations/")
    assert send(bob, path, BODY).status_code == 201
    before = state()
    body, content_type = OTHER_BODIES[other]
    replay = send(bob, path, body, content_type=content_type)
    assert (replay.status_code, replay.json()["code"]) == (422, "idempotency_key_reused")
    assert state() == before


OTHER_ADDRESSES: Final = (
    "/api/projects/{project_id}/annotations",
    "/api/projects/{project_id}/annotations/?",
    "/api/projects/{project_id}/annotations/?a=",
    "/api/projects/0{project_id}/annotations/",
    "/api/projects/@current/annotations/",
    "/api/projects/%40current/annotations/",
    "/api/environments/{project_id}/annotations/",
    "/api/projects/{project_id}/cohorts/",
    "/api/projects/{app}/annotations/",
    "/api/organizations/{organization_id}/roles/",
)


@pytest.mark.parametrize("template", OTHER_ADDRESSES)
def test_another_address_is_never_answered(world: World, bob: Caller, template: str):
    path = world.at("/api/projects/{project_id}/annotations/")
    made = send(bob, path, BODY)
    assert made.status_code == 201
    before = state()
    other = send(bob, world.at(template, app=world.cast.app.pk), BODY)
    if template.endswith("/?"):
        assert other.content == made.content  # an empty query is none
    else:
        assert other.status_code in (404, 422), other.content
        assert "Idempotency-Replayed" not in other
    assert state() == before


@pytest.mark.parametrize("method", ["PUT", "PATCH", "GET", "DELETE", "OPTIONS"])
def test_no_other_method_gets_the_answer(world: World, bob: Caller, method: str):
    path = world.at("/api/projects/{project_id}/annotations/")
    made = send(bob, path, BODY)
    for address in (path, f"{path}{made.json()['id']}/"):
        answer = bob.request(method, address, BODY, headers=NAME)
        assert "Idempotency-Replayed" not in answer
    assert Answer.objects.count() == 1
