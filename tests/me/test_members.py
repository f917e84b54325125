"""The members of an organization, as a member of it reads them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from core6.accounts.models import Level, Membership, User
from tests.conftest import Caller, Cast, missing, refused

NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)


def url(cast: Cast, organization: Any = None) -> str:
    return f"/api/organizations/{organization or cast.acme.pk}/members/"


@pytest.fixture
def reader(cast: Cast) -> Caller:
    """Carol, a plain member, with a key of this scope alone."""
    return cast.caller(cast.carol, "organization_member:read")


def test_a_member_is_a_user_with_a_level(cast: Cast, reader: Caller):
    Membership.objects.filter(user=cast.bob).update(joined_at=NOON, updated_at=NOON + timedelta(days=1))
    User.objects.filter(pk=cast.bob.pk).update(hedgehog_config={"color": "red"}, role_at_organization="founder")
    response = reader.get(url(cast))
    assert response.status_code == 200
    assert response.json()["results"][0] == {
        "id": str(Membership.objects.get(user=cast.bob).pk),
        "user": {
            "id": cast.bob.pk,
            "uuid": str(cast.bob.uuid),
            "distinct_id": cast.bob.distinct_id,
            "first_name": "Bob",
            "last_name": "",
            "email": "bob@example.com",
            "is_email_verified": None,
            "hedgehog_config": {"use_as_profile": None, "color": "red", "accessories": None, "skin": None},
            "role_at_organization": "founder",
        },
        "level": 8,
        "joined_at": "2026-03-15T12:00:00Z",
        "updated_at": "2026-03-16T12:00:00Z",
        "is_2fa_enabled": False,
        "has_social_auth": False,
        "last_login": None,
    }


def test_members_of_one_organization_are_listed_in_the_order_of_joining(cast: Cast, reader: Caller):
    for days, user in enumerate((cast.carol, cast.alice, cast.bob, cast.dave)):
        Membership.objects.filter(user=user).update(joined_at=NOON + timedelta(days=days))
    body = reader.get(url(cast)).json()
    found = [(each["user"]["first_name"], each["level"]) for each in body.pop("results")]
    assert found == [("Carol", Level.MEMBER), ("Alice", Level.OWNER), ("Bob", Level.ADMIN)]
    assert body == {"count": 3, "next": None, "previous": None}


def test_pages_follow_each_other(cast: Cast, reader: Caller):
    first = reader.get(url(cast), limit=2).json()
    assert first["next"] == f"http://testserver{url(cast)}?limit=2&offset=2"
    second = reader.get(first["next"]).json()
    assert (len(first["results"]), len(second["results"]), second["next"]) == (2, 1, None)
    assert len({each["id"] for each in [*first["results"], *second["results"]]}) == 3


def test_current_is_the_callers_organization(cast: Cast, reader: Caller):
    assert reader.get(url(cast, "@current")).json() == reader.get(url(cast)).json()


def test_a_strangers_organization_and_an_unknown_one_are_refused(cast: Cast, reader: Caller):
    stranger = reader.get(url(cast, cast.globex.pk))
    assert (stranger.status_code, stranger.json()) == (403, refused())
    unknown = reader.get(url(cast, "01a20e5b-7a93-7462-a49f-99b7316c99a6"))
    assert (unknown.status_code, unknown.json()) == (404, missing("Organization not found."))


def test_a_caller_needs_the_scope_of_members(cast: Cast):
    response = cast.caller(cast.alice, "organization:write").get(url(cast))
    expected = refused("API key missing required scope 'organization_member:read'")
    assert (response.status_code, response.json()) == (403, expected)


def test_members_are_only_read(cast: Cast, alice: Caller):
    assert alice.post(url(cast), {"user": cast.dave.pk}).status_code == 405
    member = Membership.objects.get(user=cast.carol)
    for method in ("GET", "PATCH", "DELETE"):
        assert alice.request(method, f"{url(cast)}{member.pk}/").status_code == 404


def test_a_user_who_leaves_is_gone_at_once(cast: Cast, reader: Caller):
    assert reader.get(url(cast)).json()["count"] == 3
    Membership.objects.filter(user=cast.bob).delete()
    assert [each["user"]["first_name"] for each in reader.get(url(cast)).json()["results"]] == ["Alice", "Carol"]


@pytest.mark.parametrize("rows", [1, 10])
def test_the_list_takes_two_queries(cast: Cast, reader: Caller, queries: CaptureQueriesContext, rows: int):
    reader.get(url(cast))
    for number in range(rows):
        user = User.objects.create(email=f"{number}@example.com", password="!")
        Membership.objects.create(organization=cast.acme, user=user)
    with queries:
        assert reader.get(url(cast)).json()["count"] == rows + 3
    assert len(queries) == 2  # key; page with the users and the total
