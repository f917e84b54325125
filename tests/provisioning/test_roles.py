from typing import Any

import pytest

from core6.accounts.models import Organization
from core6.provisioning import provision as provisioning
from core6.provisioning import world
from roles.models import Role, RoleMembership
from tests.conftest import Cast

USERS = "users: [{email: alice@example.com}, {email: carol@example.com}]"
ACME = "organizations: [{name: Acme, members: {alice@example.com: owner, carol@example.com: member}, %s}]"
pytestmark = pytest.mark.django_db


def provision(organization: str) -> dict[str, Any]:
    return provisioning.provision(world.read(f"{USERS}\n{ACME % organization}"))["organizations"]["Acme"]


def members(role: Role) -> list[str]:
    return sorted(role.members.values_list("organization_member__user__email", flat=True))


def test_roles_their_members_and_the_default():
    made = provision("roles: [{name: Makers, members: [carol@example.com]}, {name: Sales}], default_role: Sales")
    roles = {role.name: role for role in Role.objects.all()}
    assert made["roles"] == {name: {"id": str(roles[name].pk)} for name in ("Makers", "Sales")}
    assert (members(roles["Makers"]), members(roles["Sales"])) == (["carol@example.com"], [])
    assert Organization.objects.get().default_role == roles["Sales"]


def test_a_second_run_changes_nothing():
    world_of_roles = "roles: [{name: Makers, members: [carol@example.com]}], default_role: Makers"
    first = provision(world_of_roles)
    kept = list(RoleMembership.objects.values())
    assert provision(world_of_roles) == first
    assert list(RoleMembership.objects.values()) == kept


def test_nobody_is_taken_out_and_nothing_that_the_file_leaves_out_is_touched():
    provision("roles: [{name: Makers, members: [carol@example.com]}], default_role: Makers")
    provision("roles: [{name: makers, members: [alice@example.com]}]")
    role = Role.objects.get()
    assert (role.name, members(role)) == ("Makers", ["alice@example.com", "carol@example.com"])
    assert Organization.objects.get().default_role == role


def test_the_default_role_can_be_another_or_none():
    provision("roles: [{name: Makers}, {name: Sales}], default_role: Makers")
    provision("default_role: Sales")
    assert str(Organization.objects.get().default_role) == "Sales"
    provision("default_role: null")
    assert Organization.objects.get().default_role is None


@pytest.mark.parametrize(
    ("organization", "message"),
    [
        (
            "roles: [{name: Makers, members: [bob@example.com]}]",
            "organizations[0].roles[0].members[0]: 'bob@example.com' is no member of 'Acme': add one to members",
        ),
        ("default_role: Makers", "organizations[0].default_role: there is no role 'Makers': add one to roles"),
        ("roles: [{name: Makers, level: 8}]", "organizations[0].roles[0].level: unknown property"),
        ("roles: [{name: ''}]", "organizations[0].roles[0].name: This field cannot be blank."),
        ("roles: [{}]", "organizations[0].roles[0].name: this property is required"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(organization: str, message: str):
    with pytest.raises(world.WorldError) as refusal:
        provision(organization)
    assert str(refusal.value) == message
    assert not Organization.objects.exists()


def test_a_role_of_another_organization_is_not_found(cast: Cast):
    Role.objects.create(organization=cast.globex, name="Theirs")
    with pytest.raises(world.WorldError, match="there is no role 'Theirs'"):
        provision("default_role: Theirs")
