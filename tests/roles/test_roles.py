import uuid

import pytest
from django.test.utils import CaptureQueriesContext

from core6.accounts.models import Membership, User
from roles.models import Role, RoleMembership
from tests.conftest import Caller, Cast, at_once, invalid, missing, refused

NAME_TAKEN = invalid("unique", "There is already a role with this name.", "name")


def url(cast: Cast, role: Role | None = None) -> str:
    return f"/api/organizations/{cast.acme.pk}/roles/" + (f"{role.pk}/" if role else "")


def join(role: Role, user: User) -> RoleMembership:
    member = Membership.objects.get(organization=role.organization, user=user)
    return RoleMembership.objects.create(role=role, organization_member=member)


def basic(user: User) -> dict:
    return {
        "id": user.pk,
        "uuid": str(user.uuid),
        "distinct_id": user.distinct_id,
        "first_name": user.first_name,
        "last_name": "",
        "email": user.email,
        "is_email_verified": None,
        "hedgehog_config": None,
        "role_at_organization": None,
    }


@pytest.fixture
def role(cast: Cast) -> Role:
    return Role.objects.create(organization=cast.acme, name="Engineering", created_by=cast.alice)


def test_a_new_role_has_its_creator_and_no_members(cast: Cast, alice: Caller):
    response = alice.post(url(cast), {"name": "  Sales "})
    body = response.json()
    assert response.status_code == 201
    assert list(body) == ["id", "name", "created_at", "created_by", "members", "is_default"]
    assert uuid.UUID(body["id"]).version == 7
    assert body["created_at"].endswith("Z")
    assert body == {
        "id": body["id"],
        "name": "Sales",
        "created_at": body["created_at"],
        "created_by": basic(cast.alice),
        "members": [],
        "is_default": False,
    }
    assert alice.get(f"{url(cast)}{body['id']}/").json() == body


def test_members_are_membership_objects_in_joining_order(cast: Cast, alice: Caller, role: Role):
    joined = [join(role, user) for user in (cast.carol, cast.alice)]
    members = alice.get(url(cast, role)).json()["members"]
    assert [member["user"]["email"] for member in members] == ["carol@example.com", "alice@example.com"]
    first, membership = members[0], joined[0].organization_member
    assert first == {
        "id": str(joined[0].pk),
        "role_id": str(role.pk),
        "organization_member": {
            "id": str(membership.pk),
            "user": basic(cast.carol),
            "level": 1,
            "joined_at": first["organization_member"]["joined_at"],
            "updated_at": first["organization_member"]["updated_at"],
            "is_2fa_enabled": False,
            "has_social_auth": False,
            "last_login": None,
        },
        "user": basic(cast.carol),
        "joined_at": first["joined_at"],
        "updated_at": first["updated_at"],
    }


def test_the_list_holds_the_organizations_roles_in_order_of_creation(cast: Cast, alice: Caller, role: Role):
    Role.objects.create(organization=cast.acme, name="A later one")
    Role.objects.create(organization=cast.globex, name="Theirs")
    body = alice.get(url(cast), name="ignored", search="ignored").json()
    assert [row["name"] for row in body["results"]] == ["Engineering", "A later one"]
    assert body["results"][1]["created_by"] is None
    page = alice.get(url(cast), limit=1).json()
    assert (page["count"], len(page["results"])) == (2, 1)
    assert page["next"] == f"http://testserver{url(cast)}?limit=1&offset=1"


def test_the_default_role_says_so_until_it_goes(cast: Cast, alice: Caller, role: Role):
    cast.acme.default_role = role
    cast.acme.save()
    assert alice.get(url(cast, role)).json()["is_default"] is True
    assert alice.patch(url(cast, role), {"name": "Makers"}).json()["is_default"] is True
    assert alice.delete(url(cast, role)).status_code == 204
    cast.acme.refresh_from_db()
    assert cast.acme.default_role is None


@pytest.mark.parametrize(
    ("sent", "code", "detail"),
    [
        ({}, "required", "This field is required."),
        ({"name": ""}, "blank", "This field may not be blank."),
        ({"name": "   "}, "blank", "This field may not be blank."),
        ({"name": None}, "null", "This field may not be null."),
        ({"name": "x" * 201}, "max_length", "Ensure this field has no more than 200 characters."),
        ({"name": []}, "invalid_input", "Not a valid string."),
        ({"name": {}}, "invalid_input", "Not a valid string."),
        ({"name": True}, "invalid_input", "Not a valid string."),
        ({"name": "a\0b"}, "null_characters_not_allowed", "Null characters are not allowed."),
    ],
)
def test_refused_names_leave_no_trace(cast: Cast, alice: Caller, role: Role, sent: dict, code: str, detail: str):
    for response in (alice.post(url(cast), sent), alice.put(url(cast, role), sent)):
        assert (response.status_code, response.json()) == (400, invalid(code, detail, "name"))
    if sent:
        assert alice.patch(url(cast, role), sent).json() == invalid(code, detail, "name")
    assert list(Role.objects.values_list("name", flat=True)) == ["Engineering"]


@pytest.mark.parametrize(("sent", "stored"), [(5, "5"), ("x" * 200, "x" * 200), ("Ünïcode 🦔", "Ünïcode 🦔")])
def test_a_role_gets_the_name_sent(cast: Cast, alice: Caller, sent: object, stored: str):
    response = alice.post(url(cast), {"name": sent, "id": "1", "members": [], "is_default": True, "created_by": 7})
    assert (response.status_code, response.json()["name"]) == (201, stored)
    assert response.json()["is_default"] is False


def test_a_name_is_taken_whatever_its_case(cast: Cast, alice: Caller, role: Role):
    other = Role.objects.create(organization=cast.acme, name="Other")
    for response in (
        alice.post(url(cast), {"name": "engineering"}),
        alice.put(url(cast, other), {"name": "ENGINEERING"}),
        alice.patch(url(cast, other), {"name": " Engineering "}),
    ):
        assert (response.status_code, response.json()) == (400, NAME_TAKEN)
    other.refresh_from_db()
    assert other.name == "Other"


def test_a_name_is_free_elsewhere_and_after_deletion_and_for_the_role_itself(cast: Cast, alice: Caller, role: Role):
    dave = cast.caller(cast.dave)
    assert dave.post(f"/api/organizations/{cast.globex.pk}/roles/", {"name": "Engineering"}).status_code == 201
    assert alice.patch(url(cast, role), {"name": "ENGINEERING"}).json()["name"] == "ENGINEERING"
    alice.delete(url(cast, role))
    assert alice.post(url(cast), {"name": "Engineering"}).status_code == 201


def test_patch_and_put_change_the_name_alone(cast: Cast, alice: Caller, role: Role):
    join(role, cast.carol)
    before = alice.get(url(cast, role)).json()
    assert alice.patch(url(cast, role), {}).json() == before
    assert alice.put(url(cast, role), {"name": "Makers"}).json() == {**before, "name": "Makers"}
    form = alice.patch(url(cast, role), "name=Doers", content_type="application/x-www-form-urlencoded")
    assert form.json() == {**before, "name": "Doers"}


def test_deleting_takes_the_memberships_along(cast: Cast, alice: Caller, role: Role):
    join(role, cast.carol)
    response = alice.delete(url(cast, role))
    assert (response.status_code, response.content) == (204, b"")
    assert "Content-Type" not in response
    assert not RoleMembership.objects.exists()
    assert Membership.objects.filter(user=cast.carol).exists()
    gone = alice.delete(url(cast, role))
    assert (gone.status_code, gone.json()) == (404, missing())


def test_ids_are_read_in_every_form(cast: Cast, alice: Caller, role: Role):
    for form in (str(role.pk).upper(), role.pk.hex):
        assert alice.get(f"{url(cast)}{form}").status_code == 200
    for form in ("1", "nope", f"{{{role.pk}}}", f"urn:uuid:{role.pk}"):
        assert alice.get(f"{url(cast)}{form}/").status_code == 404


def test_current_is_the_callers_organization(cast: Cast, alice: Caller, role: Role):
    assert alice.get("/api/organizations/@current/roles/").json()["results"][0]["id"] == str(role.pk)


def test_a_user_who_leaves_the_organization_leaves_its_roles(cast: Cast, alice: Caller, role: Role):
    join(role, cast.carol)
    Membership.objects.get(user=cast.carol).delete()
    assert alice.get(url(cast, role)).json()["members"] == []


def test_no_role_of_another_organization_can_be_reached(cast: Cast, alice: Caller):
    theirs = Role.objects.create(organization=cast.globex, name="Theirs")
    for method in ("get", "put", "patch", "delete"):
        body = {} if method in ("get", "delete") else {"body": {"name": "Mine"}}
        response = getattr(alice, method)(url(cast, theirs), **body)
        assert (response.status_code, response.json()) == (404, missing())
        response = getattr(alice, method)(f"/api/organizations/{cast.globex.pk}/roles/{theirs.pk}/", **body)
        assert (response.status_code, response.json()) == (403, refused())
    theirs.refresh_from_db()
    assert theirs.name == "Theirs"


@pytest.mark.parametrize("rows", [1, 10, 100])
def test_a_list_takes_three_queries(cast: Cast, alice: Caller, queries: CaptureQueriesContext, rows: int):
    alice.get(url(cast))
    members = [cast.alice, cast.bob, cast.carol]
    for i in range(rows):
        role = Role.objects.create(organization=cast.acme, name=str(i), created_by=cast.bob)
        for user in members[: i % 4]:
            join(role, user)
    with queries:
        assert len(alice.get(url(cast)).json()["results"]) == rows
    # the key with its user, organization and level; the page with its creators and count; its memberships
    assert len(queries) == 3


def test_changes_take_a_constant_number_of_queries(
    cast: Cast, alice: Caller, role: Role, queries: CaptureQueriesContext
):
    alice.get(url(cast))
    for user in (cast.alice, cast.bob, cast.carol):
        join(role, user)
    with queries:
        alice.get(url(cast, role))
    assert len(queries) == 3  # key with organization; the role; its memberships
    with queries:
        alice.post(url(cast), {"name": "x"})
    assert len(queries) == 5  # key with organization, savepoint, insert, its memberships, release
    with queries:
        alice.patch(url(cast, role), {"name": "y"})
    assert len(queries) == 6  # key with organization, savepoint, the locked role, its memberships, update, release


@pytest.mark.django_db(transaction=True)
def test_of_sixteen_at_once_one_gets_the_name(committed_cast: Cast):
    cast = committed_cast
    key = cast.key(cast.alice)

    def create(_: int) -> tuple[int, object]:
        response = Caller(key).post(url(cast), {"name": "Contended"})
        return response.status_code, response.json() if response.status_code == 400 else None

    answers = sorted(at_once(16, create), key=lambda answer: answer[0])
    assert answers == [(201, None)] + [(400, NAME_TAKEN)] * 15
    assert Role.objects.count() == 1
