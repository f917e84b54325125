"""Provisions the database from a file: idempotent, in one transaction."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import models, transaction

from core6.accounts import keys
from core6.accounts.models import Membership, Organization, PersonalAPIKey, User
from core6.activity.log import log_key
from core6.database import locks
from core6.provisioning.projects import provision_project
from core6.provisioning.rows import get_unique, save
from core6.provisioning.world import LEVELS, KeyEntry, OrganizationEntry, RoleEntry, UserEntry, World, WorldError
from core6.security.masking import mask_key
from projects.models import Project
from roles.models import Role, RoleMembership


def provision(world: World, *, values: Mapping[str, str] | None = None, base: Path | None = None) -> dict[str, Any]:
    """Create missing objects, update the properties in the file, delete nothing.

    `values` are fixed values of keys by their label, like `value` in the file; paths in the file are relative to
    `base`, or else to the working directory. Returns the ids in the command's output format;
    raises WorldError, and writes nothing, if the file is invalid.
    """
    with transaction.atomic():
        acquire_provisioning_lock()
        users = {entry.email: _user(entry, f"users[{i}]") for i, entry in enumerate(world.users)}
        organizations = {
            entry.name: _organization(entry, f"organizations[{i}]", base or Path())
            for i, entry in enumerate(world.organizations)
        }
        return {
            "users": {
                email: {"id": user.pk, "uuid": str(user.uuid), "distinct_id": user.distinct_id}
                for email, user in users.items()
            },
            "organizations": organizations,
            "api_keys": {
                entry.label: _api_key(entry, f"api_keys[{i}]", (values or {}).get(entry.label) or entry.value)
                for i, entry in enumerate(world.api_keys)
            },
        }


def acquire_provisioning_lock() -> None:
    """Acquire the lock of provisioning until the end of the caller's transaction."""
    locks.PROVISIONING.acquire()


def _user(entry: UserEntry, path: str) -> User:
    user = User.objects.filter(email__iexact=entry.email).first() or User(email=entry.email)
    given = entry.given(
        "first_name",
        "last_name",
        "is_active",
        "is_email_verified",
        "role_at_organization",
        "hedgehog_config",
        "is_staff",
    )
    if entry.password is None:
        if not user.password:
            user.set_unusable_password()
    elif not (user.password and user.check_password(entry.password)):
        given["password"] = make_password(entry.password)
    return save(user, given, path)


def _organization(entry: OrganizationEntry, path: str, base: Path) -> dict[str, Any]:
    organization = save(
        get_unique(Organization.objects.filter(name=entry.name), path) or Organization(name=entry.name), {}, path
    )
    for email, level in entry.members.items():
        user = _existing_user(email, f"{path}.members.{email}")
        membership = Membership.objects.filter(organization=organization, user=user).first()
        save(membership or Membership(organization=organization, user=user), {"level": LEVELS[level].value}, path)
    roles = {role.name: _role(organization, role, f"{path}.roles[{i}]") for i, role in enumerate(entry.roles)}
    if "default_role" in entry.model_fields_set:
        at = f"{path}.default_role"
        role = _role_named(organization, entry.default_role, at) if entry.default_role is not None else None
        save(organization, {"default_role": role}, at)
    projects = {
        project.name: provision_project(organization, project, f"{path}.projects[{i}]", base)
        for i, project in enumerate(entry.projects)
    }
    return {"id": str(organization.pk), "roles": roles, "projects": projects}


def _role(organization: Organization, entry: RoleEntry, path: str) -> dict[str, Any]:
    found = Role.objects.filter(organization=organization, name__iexact=entry.name).first()
    role = save(found or Role(organization=organization, name=entry.name), {}, path)
    for i, email in enumerate(entry.members):
        at = f"{path}.members[{i}]"
        member = Membership.objects.filter(organization=organization, user__email__iexact=email).first()
        if member is None:
            raise WorldError(f"{at}: {email!r} is no member of {organization.name!r}: add one to members")
        belongs = RoleMembership.objects.filter(role=role, organization_member=member).first()
        save(belongs or RoleMembership(role=role, organization_member=member), {}, at)
    return {"id": str(role.pk)}


def _role_named(organization: Organization, name: str, path: str) -> Role:
    role = Role.objects.filter(organization=organization, name__iexact=name).first()
    if role is None:
        raise WorldError(f"{path}: there is no role {name!r}: add one to roles")
    return role


def _api_key(entry: KeyEntry, path: str, value: str) -> dict[str, Any]:
    user = _existing_user(entry.user, f"{path}.user")
    given: dict[str, Any] = {"scopes": entry.scopes}
    if "scoped_organizations" in entry.model_fields_set:
        given["scoped_organizations"] = [
            _organization_named(name, f"{path}.scoped_organizations[{i}]").pk
            for i, name in enumerate(entry.scoped_organizations)
        ]
    if "scoped_projects" in entry.model_fields_set:
        given["scoped_teams"] = [
            project_named(name, f"{path}.scoped_projects[{i}]").pk for i, name in enumerate(entry.scoped_projects)
        ]
    key = PersonalAPIKey.objects.filter(user=user, label=entry.label).first()
    is_new = key is None
    if key is None:
        value = value or keys.generate()
        key = PersonalAPIKey(user=user, label=entry.label, secure_value=keys.digest(value), mask_value=mask_key(value))
    elif value and key.secure_value != keys.digest(value):
        raise WorldError(f"{path}.value: the key {entry.label!r} exists with another value: choose another label")
    if PersonalAPIKey.objects.filter(secure_value=key.secure_value).exclude(pk=key.pk).exists():
        raise WorldError(f"{path}.value: another key has this value: choose another")
    key = save(key, given, path)
    if is_new:
        log_key(key.pk, key.label, user.email, "created")
    return {"value": value or None, "mask": key.mask_value}


def _existing_user(email: str, path: str) -> User:
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        raise WorldError(f"{path}: there is no user {email!r}: add one to users")
    return user


def _organization_named(name: str, path: str) -> Organization:
    organization = get_unique(Organization.objects.filter(name=name), path)
    if organization is None:
        raise WorldError(f"{path}: there is no organization {name!r}")
    return organization


def project_named(name: str, path: str) -> Project:
    """Return the project with the name `organization/project`; raises WorldError."""
    # Both names may contain a slash, so the whole text is compared.
    whole = models.functions.Concat("organization__name", models.Value("/"), "name")
    project = get_unique(Project.objects.annotate(whole=whole).filter(whole=name), path)
    if project is None:
        raise WorldError(f"{path}: there is no project {name!r}: write organization/project")
    return project
