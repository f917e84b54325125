import uuid

import pytest
from django.test.utils import CaptureQueriesContext

from core6.accounts.models import Membership, User
from roles.models import Role, RoleMembership
from tests.conftest import Caller, Cast, at_once, error, invalid, missing, refused

NO_USER = invalid("invalid_input", "User does not exist.")
ALREADY = invalid("invalid_input", "User is already part of the role.")


@pytest.fixture
def role(cast: Cast) -> Role:
    return Role.objects.create(organization=cast.acme, name="Engineering")


def url(cast: Cast, role: object, rest: str = "") -> str:
    return f"/api/organizations/{cast.acme.pk}/roles/{getattr(role, 'pk', role)}/role_memberships/{rest}"


def named(user: User) -> dict[str, str]:
    return {"user_uuid": str(user.uuid)}


def test_an_administrator_adds_a_member_and_takes_her_out(cast: Cast, role: Role):
    bob = cast.caller(cast.bob)
    response = bob.post(url(cast, role), named(cast.carol))
    body = response.json()
    assert response.status_code == 201
    assert list(body) == ["id", "role_id", "organization_member", "user", "joined_at", "updated_at"]
    assert (body["role_id"], body["user"]["email"]) == (str(role.pk), "carol@example.com")
    assert body["organization_member"]["user"] == body["user"]
    assert bob.get(url(cast, role)).json()["results"] == [body]
    assert bob.get(url(cast, role, f"{body['id']}/")).json() == body
    assert bob.get(f"/api/organizations/@current/roles/{role.pk}/").json()["members"] == [body]
    gone = bob.delete(url(cast, role, f"{body['id']}/"))
    assert (gone.status_code, gone.content) == (204, b"")
    assert bob.get(url(cast, role, f"{body['id']}/")).status_code == 404
    assert bob.delete(url(cast, role, f"{body['id']}/")).status_code == 404


def test_the_list_is_in_joining_order_and_paged(cast: Cast, alice: Caller, role: Role):
    for user in (cast.carol, cast.alice, cast.bob):
        assert alice.post(url(cast, role), named(user)).status_code == 201
    body = alice.get(url(cast, role), limit=2).json()
    assert [row["user"]["first_name"] for row in body["results"]] == ["Carol", "Alice"]
    assert (body["count"], body["next"]) == (3, f"http://testserver{url(cast, role)}?limit=2&offset=2")


def test_a_member_may_hold_several_roles(cast: Cast, alice: Caller, role: Role):
    other = Role.objects.create(organization=cast.acme, name="Other")
    for each in (role, other):
        assert alice.post(url(cast, each), named(cast.carol)).status_code == 201


def test_nobody_joins_twice(cast: Cast, alice: Caller, role: Role):
    alice.post(url(cast, role), named(cast.carol))
    response = alice.post(url(cast, role), named(cast.carol))
    assert (response.status_code, response.json()) == (400, ALREADY)
    assert RoleMembership.objects.count() == 1


def test_strangers_and_inactive_users_do_not_exist(cast: Cast, alice: Caller, role: Role):
    cast.carol.is_active = False
    cast.carol.save()
    for user in (cast.dave, cast.carol, User(uuid=uuid.uuid4())):
        response = alice.post(url(cast, role), named(user))
        assert (response.status_code, response.json()) == (400, NO_USER)
    assert not RoleMembership.objects.exists()


@pytest.mark.parametrize(
    ("sent", "code", "detail"),
    [
        ({}, "required", "This field is required."),
        ({"user_uuid": None}, "null", "This field may not be null."),
        ({"user_uuid": "nope"}, "invalid_input", "Must be a valid UUID."),
        ({"user_uuid": []}, "invalid_input", "Must be a valid UUID."),
    ],
)
def test_refused_bodies(cast: Cast, alice: Caller, role: Role, sent: dict, code: str, detail: str):
    response = alice.post(url(cast, role), sent)
    assert (response.status_code, response.json()) == (400, invalid(code, detail, "user_uuid"))


def test_an_unknown_or_foreign_role_is_not_found(cast: Cast, alice: Caller):
    theirs = Role.objects.create(organization=cast.globex, name="Theirs")
    member = Membership.objects.get(user=cast.dave)
    belongs = RoleMembership.objects.create(role=theirs, organization_member=member)
    for key in (theirs.pk, uuid.uuid4(), "nope", "1"):
        for response in (
            alice.get(url(cast, key)),
            alice.post(url(cast, key), named(cast.carol)),
            alice.get(url(cast, key, f"{belongs.pk}/")),
            alice.delete(url(cast, key, f"{belongs.pk}/")),
        ):
            assert (response.status_code, response.json()) == (404, missing())
    path = f"/api/organizations/{cast.globex.pk}/roles/{theirs.pk}/role_memberships/"
    for response in (alice.get(path), alice.post(path, named(cast.alice)), alice.delete(f"{path}{belongs.pk}/")):
        assert (response.status_code, response.json()) == (403, refused())
    assert RoleMembership.objects.get() == belongs


def test_a_membership_of_another_role_is_not_found(cast: Cast, alice: Caller, role: Role):
    other = Role.objects.create(organization=cast.acme, name="Other")
    made = alice.post(url(cast, other), named(cast.carol)).json()
    assert alice.get(url(cast, role, f"{made['id']}/")).status_code == 404
    assert alice.delete(url(cast, role, f"{made['id']}/")).status_code == 404
    assert RoleMembership.objects.exists()


def test_a_member_may_read_but_not_write(cast: Cast, alice: Caller, role: Role):
    made = alice.post(url(cast, role), named(cast.bob)).json()
    carol = cast.caller(cast.carol)
    assert carol.get(url(cast, role)).json()["results"] == [made]
    refusal = refused("Your organization access level is insufficient.")
    for response in (
        carol.post(url(cast, role), named(cast.carol)),
        carol.delete(url(cast, role, f"{made['id']}/")),
    ):
        assert (response.status_code, response.json()) == (403, refusal)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_memberships_cannot_be_changed(cast: Cast, alice: Caller, role: Role, method: str):
    made = alice.post(url(cast, role), named(cast.bob)).json()
    response = alice.request(method, url(cast, role, f"{made['id']}/"), {})
    detail = f'Method "{method}" not allowed.'
    assert (response.status_code, response.json()) == (405, error("invalid_request", "method_not_allowed", detail))
    assert response["Allow"] == "GET, DELETE, HEAD, OPTIONS"


@pytest.mark.parametrize("rows", [1, 3])
def test_a_list_takes_four_queries(cast: Cast, alice: Caller, role: Role, queries: CaptureQueriesContext, rows: int):
    for user in (cast.alice, cast.bob, cast.carol)[:rows]:
        alice.post(url(cast, role), named(user))
    with queries:
        assert len(alice.get(url(cast, role)).json()["results"]) == rows
    assert len(queries) == 4  # key with organization and level; the role; count; the page with members and users


@pytest.mark.django_db(transaction=True)
def test_of_eight_at_once_one_joins(committed_cast: Cast):
    cast = committed_cast
    role = Role.objects.create(organization=cast.acme, name="Engineering")
    key = cast.key(cast.alice)
    answers = at_once(8, lambda _: Caller(key).post(url(cast, role), named(cast.carol)).status_code)
    assert sorted(answers) == [201] + [400] * 7
