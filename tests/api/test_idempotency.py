"""`Idempotency-Key`: a POST that is sent again happens once and is answered as the first time."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotations.models import Annotation
from core6.accounts.models import Level, Membership, PersonalAPIKey, User
from core6.activity.models import ActivityLog
from core6.idempotency.models import Answer
from core6.tasks import forget_answers
from projects.models import Project
from roles.models import Role
from tests.conftest import Caller, Cast, at_once, refused
from tests.support.urls import annotations_url as url

BODY = {"content": "once", "scope": "project"}


def post(caller: Caller, path: str, key: str, body: Any = BODY, **extra: Any) -> Any:
    return caller.post(path, body, headers={"Idempotency-Key": key}, **extra)


def test_a_repeated_request_happens_once(cast: Cast, alice: Caller):
    first = post(alice, url(cast), "one")
    again = post(alice, url(cast), "one")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert again["Content-Type"] == first["Content-Type"]
    assert Annotation.objects.count() == ActivityLog.objects.filter(scope="Annotation").count() == 1


def test_another_key_is_another_request(cast: Cast, alice: Caller):
    assert post(alice, url(cast), "one").json()["id"] != post(alice, url(cast), "two").json()["id"]


def test_without_a_key_nothing_is_kept(cast: Cast, alice: Caller, queries: CaptureQueriesContext):
    with queries:
        alice.post(url(cast), BODY)
    assert not Answer.objects.exists()
    assert not [each for each in queries if "idempotency" in each["sql"] or "advisory" in each["sql"]]


@pytest.mark.parametrize("other", ["body", "address", "slash"])
def test_another_request_with_the_key_is_refused(cast: Cast, alice: Caller, other: str):
    post(alice, url(cast), "one")
    path, body = {
        "body": (url(cast), {**BODY, "content": "other"}),
        "address": (f"/api/projects/{cast.app.pk}/annotations/", BODY),
        "slash": (f"{url(cast)}?x=1", BODY),
    }[other]
    answer = post(alice, path, "one", body)
    assert answer.status_code == 422
    assert answer.json() == {
        "type": "invalid_request",
        "code": "idempotency_key_reused",
        "detail": "This Idempotency-Key was used with another request: send a new one.",
        "attr": None,
    }
    assert Annotation.objects.count() == 1


CURRENT: tuple[tuple[str, Any], ...] = (
    ("/api/projects/@current/annotations/", BODY),
    ("/api/projects/@current/generate_conversations_public_token/", {}),
    ("/api/organizations/@current/roles/", {"name": "Once"}),
    ("/api/organizations/@current/projects/", {"name": "Once"}),
    ("/api/projects/", {"name": "Once"}),
)


def move(user: User, project: Project) -> None:
    """Have the user look at a project, as who makes one does."""
    user.current_project, user.current_organization = project, project.organization
    user.save()


@pytest.mark.parametrize(("path", "body"), CURRENT)
def test_a_key_belongs_to_what_current_meant(cast: Cast, alice: Caller, path: str, body: Any):
    Membership.objects.create(organization=cast.globex, user=cast.alice, level=Level.ADMIN)
    move(cast.alice, cast.web)
    first = post(alice, path, "one", body)
    assert first.status_code < 300
    move(cast.alice, cast.globex_web)
    count = Project.objects.count()
    answer = post(alice, path, "one", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert Project.objects.count() == count
    assert not Role.objects.filter(organization=cast.globex).exists()
    move(cast.alice, cast.web)
    again = post(alice, path, "one", body)
    assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")


def test_another_project_of_the_organization_is_another_one(cast: Cast, alice: Caller):
    path, _ = CURRENT[0]
    move(cast.alice, cast.web)
    assert post(alice, path, "one").status_code == 201
    move(cast.alice, cast.app)
    assert post(alice, path, "one").status_code == 422


@pytest.mark.parametrize(("path", "body"), CURRENT)
def test_a_user_who_left_gets_the_ordinary_refusal(cast: Cast, alice: Caller, path: str, body: Any):
    post(alice, path, "one", body)
    Membership.objects.filter(user=cast.alice).delete()
    answer, plain = post(alice, path, "one", body), alice.post(path, body)
    assert (answer.status_code, answer.json()) == (404, plain.json())


def test_a_user_who_left_the_organization_of_an_id_gets_the_ordinary_refusal(cast: Cast, alice: Caller):
    post(alice, url(cast), "one")
    Membership.objects.filter(user=cast.alice).delete()
    answer = post(alice, url(cast), "one")
    assert (answer.status_code, answer.json()) == (403, refused("You don't have access to the project."))


def test_a_project_that_moved_is_another_one(cast: Cast, alice: Caller):
    Membership.objects.create(organization=cast.globex, user=cast.alice)
    post(alice, url(cast), "one")
    Project.objects.filter(pk=cast.web.pk).update(organization=cast.globex)
    assert post(alice, url(cast), "one").status_code == 422


def test_what_was_refused_can_be_put_right(cast: Cast, alice: Caller):
    assert post(alice, url(cast), "one", {"scope": "nowhere"}).status_code == 400
    assert not Answer.objects.exists()
    assert post(alice, url(cast), "one").status_code == 201


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "tab\there", "\x7f"])
def test_a_key_that_is_none_is_refused(cast: Cast, alice: Caller, key: str):
    answer = post(alice, url(cast), key)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert not Annotation.objects.exists()


def test_the_longest_key_is_one(cast: Cast, alice: Caller):
    assert post(alice, url(cast), "x" * 255).status_code == 201
    assert post(alice, url(cast), "x" * 255)["Idempotency-Replayed"] == "true"


def test_keys_are_each_callers_own(cast: Cast, alice: Caller):
    bob = cast.caller(cast.bob)
    assert post(alice, url(cast), "one").json()["id"] != post(bob, url(cast), "one").json()["id"]


def test_a_refusal_comes_before_a_kept_answer(cast: Cast, alice: Caller):
    post(alice, url(cast), "one")
    key = PersonalAPIKey.objects.get(user=cast.alice)
    PersonalAPIKey.objects.filter(pk=key.pk).update(scopes=["annotation:read"])
    assert post(alice, url(cast), "one").status_code == 403
    key.delete()
    assert post(alice, url(cast), "one").status_code == 401
    assert not Answer.objects.exists()  # goes with its key


def test_a_kept_answer_is_forgotten_after_a_day(cast: Cast, alice: Caller):
    first = post(alice, url(cast), "one").json()
    Answer.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    second = post(alice, url(cast), "one", {**BODY, "content": "another day"})
    assert (second.status_code, second.json()["id"] != first["id"]) == (201, True)
    assert post(alice, url(cast), "one", {**BODY, "content": "another day"}).content == second.content
    Answer.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    forget_answers(0)
    assert not Answer.objects.exists()


def test_forms_and_bodies_with_the_key_in_them_are_read(cast: Cast, alice: Caller):
    body = f"personal_api_key={alice.key}&content=once&scope=project"
    kind = {"content_type": "application/x-www-form-urlencoded"}
    first, again = (post(Caller(None), url(cast), "one", body, **kind) for _ in range(2))
    assert (first.status_code, again.content) == (201, first.content)
    multipart = {"personal_api_key": alice.key, "content": "once", "scope": "project"}
    answers = [Caller(None).client.post(url(cast), multipart, headers={"Idempotency-Key": "two"}) for _ in range(2)]
    # The boundary is the same here, as of a client that sends the same bytes again.
    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].content == answers[1].content


def test_every_post_with_a_key_happens_once(cast: Cast, alice: Caller):
    organization, project = f"/api/organizations/{cast.acme.pk}/", f"/api/projects/{cast.web.pk}/"
    for path, body in (
        (f"{organization}roles/", {"name": "Once"}),
        (f"{organization}projects/", {"name": "Once"}),
        (f"{project}cohorts/", {"name": "Once", "is_static": True}),
        (f"{project}generate_conversations_public_token/", {}),
    ):
        first, again = post(alice, path, path[-200:], body), post(alice, path, path[-200:], body)
        assert first.status_code < 300, first.content
        assert (again.status_code, again.content) == (first.status_code, first.content)
    assert Role.objects.filter(name="Once").count() == 1


def test_secrets_of_an_answer_are_not_readable_in_the_database(cast: Cast, alice: Caller):
    made = post(alice, f"/api/organizations/{cast.acme.pk}/projects/", "one", {"name": "New"}).json()
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM idempotency_answer")
        (stored,) = cursor.fetchone()
    assert made["api_token"] not in stored


def test_sixteen_at_once_make_one(committed_cast: Cast):
    """Each gets the answer of the first, or 409 while the first is under way; which of both is chance."""
    cast = committed_cast
    alice = cast.caller(cast.alice)
    answers = at_once(16, lambda _: post(alice, url(cast), "one"))
    statuses = [each.status_code for each in answers]
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert len({each.json()["id"] for each in answers if each.status_code == 201}) == 1
    refused = [each.json() for each in answers if each.status_code == 409]
    assert all((each["type"], each["code"]) == ("invalid_request", "conflict") for each in refused)
    assert Annotation.objects.filter(project=cast.web).count() == 1


def test_a_repetition_of_a_request_under_way_is_refused(committed_cast: Cast):
    cast = committed_cast
    alice = cast.caller(cast.alice)
    pk = PersonalAPIKey.objects.get(user=cast.alice).pk
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{pk} one"])
        (meanwhile,) = at_once(1, lambda _: post(alice, url(cast), "one"))
        assert meanwhile.status_code == 409
    assert post(alice, url(cast), "one").status_code == 201


def test_an_answer_that_no_key_decrypts_is_refused_and_nothing_happens_twice(cast: Cast, alice: Caller, settings: Any):
    settings.ENCRYPTION_KEYS = ["of the first day"]
    assert post(alice, url(cast), "one").status_code == 201
    settings.ENCRYPTION_KEYS = ["of the second day"]
    for _ in range(2):
        answer = post(alice, url(cast), "one")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert "its answer cannot be read any more" in answer.json()["detail"]
    assert Annotation.objects.count() == 1
    assert post(alice, url(cast), "two").status_code == 201
