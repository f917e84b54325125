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
from core6.provisioning.entries import LEVELS, KeyEntry, OrganizationEntry, RoleEntry, UserEntry
from core6.provisioning.errors import Problems, WorldError
from core6.provisioning.projects import provision_project
from core6.provisioning.rows import get_unique, save
from core6.provisioning.run import Run
from core6.provisioning.world import InvalidWorld, World, read
from core6.security.masking import mask_key
from projects.models import Project
from roles.models import Role, RoleMembership


def provision_text(text: str, *, base: Path | None = None) -> dict[str, Any]:
    """Do what `provision` does with a YAML or JSON text; raises WorldError with all errors.

    If the file itself has errors, the rest of it is tried, too, since the database may refuse further values.
    Without `base`, which paths in the file are relative to, paths are errors.
    """
    try:
        world = read(text)
    except InvalidWorld as error:
        problems = Problems(error.lost)
        problems.add(error)
        with transaction.atomic():
            if error.rest:
                _provision(error.rest, Run(problems, {}, base))
            transaction.set_rollback(True)
        raise WorldError(*problems.lines) from error
    return provision(world, base=base)


def provision(world: World, *, values: Mapping[str, str] | None = None, base: Path | None = None) -> dict[str, Any]:
    """Create missing objects, update the properties in the file, delete nothing.

    `values` are fixed values of keys by their label, like `value` in the file; paths in the file are relative to
    `base`; without it they are errors. Returns the ids in the command's output format;
    raises WorldError with all errors, and writes nothing, if the file is invalid.
    """
    run = Run(Problems(), values or {}, base)
    with transaction.atomic():
        made = _provision(world, run)
        run.problems.check()
    return made


def acquire_provisioning_lock() -> None:
    """Acquire the lock of provisioning until the end of the caller's transaction."""
    locks.PROVISIONING.acquire()


def _provision(world: World, run: Run) -> dict[str, Any]:
    acquire_provisioning_lock()
    users: dict[str, Any] = {}
    for entry in world.users:
        with run.problems.collect(entry.email):
            users[entry.email] = _user(entry)
    organizations: dict[str, Any] = {}
    for each in world.organizations:
        with run.problems.collect(each.name):
            organizations[each.name] = _organization(run, each)
    made: dict[str, Any] = {}
    for key in world.api_keys:
        with run.problems.collect():
            made[key.label] = _api_key(run, key)
    return {"users": users, "organizations": organizations, "api_keys": made}


def _user(entry: UserEntry) -> dict[str, Any]:
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
    save(user, given, entry.path)
    return {"id": user.pk, "uuid": str(user.uuid), "distinct_id": user.distinct_id}


def _organization(run: Run, entry: OrganizationEntry) -> dict[str, Any]:
    found = get_unique(Organization.objects.filter(name=entry.name), entry.path)
    organization = save(found or Organization(name=entry.name), {}, entry.path)
    for email, level in entry.members.items():
        at = f"{entry.path}.members.{email}"
        with run.problems.collect(f"{organization.name}/{email}"):
            user = run.user(email, at)
            member = Membership.objects.filter(organization=organization, user=user).first()
            save(member or Membership(organization=organization, user=user), {"level": LEVELS[level].value}, at)
    roles = {}
    for role in entry.roles:
        with run.problems.collect(role.name):
            roles[role.name] = _role(run, organization, role)
    if "default_role" in entry.model_fields_set:
        with run.problems.collect():
            _set_default_role(run, organization, entry)
    projects = {}
    for project in entry.projects:
        with run.problems.collect(project.name):
            projects[project.name] = provision_project(run, organization, project)
    return {"id": str(organization.pk), "roles": roles, "projects": projects}


def _role(run: Run, organization: Organization, entry: RoleEntry) -> dict[str, Any]:
    found = Role.objects.filter(organization=organization, name__iexact=entry.name).first()
    role = save(found or Role(organization=organization, name=entry.name), run.creator(entry), entry.path)
    for i, email in enumerate(entry.members):
        at = f"{entry.path}.members[{i}]"
        with run.problems.collect():
            member = Membership.objects.filter(organization=organization, user__email__iexact=email).first()
            if member is None:
                message = f"{email!r} is no member of {organization.name!r}: add one to members"
                raise run.problems.missing(at, f"{organization.name}/{email}", message)
            belongs = RoleMembership.objects.filter(role=role, organization_member=member).first()
            save(belongs or RoleMembership(role=role, organization_member=member), {}, at)
    return {"id": str(role.pk)}


def _set_default_role(run: Run, organization: Organization, entry: OrganizationEntry) -> None:
    at, name, role = f"{entry.path}.default_role", entry.default_role, None
    if name is not None:
        role = Role.objects.filter(organization=organization, name__iexact=name).first()
        if role is None:
            raise run.problems.missing(at, name, f"there is no role {name!r}: add one to roles")
    save(organization, {"default_role": role}, at)


def _api_key(run: Run, entry: KeyEntry) -> dict[str, Any]:
    path, value = entry.path, run.values.get(entry.label) or entry.value
    given: dict[str, Any] = {"scopes": entry.scopes}
    if "scoped_organizations" in entry.model_fields_set:
        given["scoped_organizations"] = []
        for i, name in enumerate(entry.scoped_organizations):
            with run.problems.collect():
                organization = _organization_named(run, name, f"{path}.scoped_organizations[{i}]")
                given["scoped_organizations"].append(organization.pk)
    if "scoped_projects" in entry.model_fields_set:
        given["scoped_teams"] = []
        for i, name in enumerate(entry.scoped_projects):
            with run.problems.collect():
                given["scoped_teams"].append(_project_named(run, name, f"{path}.scoped_projects[{i}]").pk)
    user = run.user(entry.user, f"{path}.user")
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


def _organization_named(run: Run, name: str, path: str) -> Organization:
    organization = get_unique(Organization.objects.filter(name=name), path)
    if organization is None:
        raise run.problems.missing(path, name, f"there is no organization {name!r}")
    return organization


def _project_named(run: Run, name: str, path: str) -> Project:
    # Both names may contain a slash, so the whole text is compared.
    whole = models.functions.Concat("organization__name", models.Value("/"), "name")
    project = get_unique(Project.objects.annotate(whole=whole).filter(whole=name), path)
    if project is None:
        raise run.problems.missing(path, name, f"there is no project {name!r}: write organization/project")
    return project
