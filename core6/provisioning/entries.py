"""A provisioning file: one type for each kind of mapping in it, with what its keys mean."""

from typing import Annotated, Any, Final, Self

from pydantic import Field, field_validator, model_validator

from core6.accounts import scopes
from core6.accounts.models import Level, Organization, PersonalAPIKey, User
from core6.provisioning.columns import Column, several
from core6.provisioning.entry import CREATOR, Entry
from core6.provisioning.errors import Flaw, with_suggestion
from core6.provisioning.project_entries import ProjectEntry
from roles.models import Role

LEVELS: Final = {level.name.lower(): level for level in Level}


class UserEntry(Entry):
    """A user, found by email, ignoring case."""

    email: Annotated[str, Column(User, "email")] = Field(description="The email, with which the user logs in.")
    first_name: Annotated[str, Column(User, "first_name")] = Field("", description="The first name.")
    last_name: Annotated[str, Column(User, "last_name")] = Field("", description="The last name.")
    is_active: bool = Field(True, description="Whether the user's keys work.")
    is_email_verified: bool | None = Field(None, description="Whether the email is verified; null if unknown.")
    role_at_organization: Annotated[str | None, Column(User, "role_at_organization")] = Field(
        None, description="The kind of work that the user does."
    )
    hedgehog_config: Annotated[dict[str, Any] | None, Column(User, "hedgehog_config")] = Field(
        None, description="Settings of the user's hedgehog avatar."
    )
    is_staff: bool = Field(False, description="Whether the user may use the console, `/admin/`.")
    password: str | None = Field(None, description="For the console only.")


class RoleEntry(Entry):
    """A role, found by name, ignoring case."""

    name: Annotated[str, Column(Role, "name")] = Field(description="The name.")
    members: list[str] = Field([], description="Emails of members of the organization.")
    created_by: str | None = Field(None, description=CREATOR)


class OrganizationEntry(Entry):
    """An organization, found by name."""

    name: Annotated[str, Column(Organization, "name")] = Field(description="The name.")
    members: dict[str, str] = Field(
        {},
        description="Emails of users, each with an access level.",
        json_schema_extra={"additionalProperties": {"enum": [*LEVELS]}},
    )
    roles: list[RoleEntry] = Field([], description="The roles.")
    default_role: str | None = Field(None, description="The name of the role that new members get.")
    projects: list[ProjectEntry] = Field([], description="The projects.")

    @field_validator("members")
    @classmethod
    def are_levels(cls, value: dict[str, str]) -> dict[str, str]:
        expected = f"expected one of {', '.join(LEVELS)}"
        flaws = [
            Flaw((email,), with_suggestion(f"{email}: {level!r} is no level, {expected}", level, LEVELS), named=1)
            for email, level in value.items()
            if level not in LEVELS
        ]
        if flaws:
            raise several(flaws)
        return value


class KeyEntry(Entry):
    """A personal API key, found by user and label."""

    label: Annotated[str, Column(PersonalAPIKey, "label")] = Field(description="The label, unique in the file.")
    user: str = Field(description="The email of its user.")
    scopes: list[str] = Field(
        description="What it may do: `*` for everything, or `annotation:read`, `cohort:write`, …; empty for nothing.",
        json_schema_extra={"items": {"enum": [*sorted(scopes.EVERY)]}},
    )
    scoped_organizations: list[str] = Field([], description="The names of the only organizations that it reaches.")
    scoped_projects: list[str] = Field([], description="The only projects that it reaches, as `organization/project`.")
    value: str = Field(
        default_factory=str,
        min_length=16,
        pattern=r"^\S+$",
        description="A fixed value, so that a program can know it beforehand. Generated if absent, and printed once.",
    )

    @field_validator("scopes")
    @classmethod
    def are_known(cls, value: list[str]) -> list[str]:
        flaws = [
            Flaw((index,), with_suggestion(f"there is no scope {scope!r}", scope, scopes.EVERY), named=1)
            for index, scope in enumerate(value)
            if not scopes.is_valid(scope)
        ]
        if flaws:
            raise several(flaws)
        return value


class World(Entry):
    """The whole file."""

    users: list[UserEntry] = Field([], description="The users.")
    organizations: list[OrganizationEntry] = Field([], description="The organizations, with all that they hold.")
    api_keys: list[KeyEntry] = Field([], description="The personal API keys of users.")

    @model_validator(mode="after")
    def has_unique_labels(self) -> Self:
        labels = [key.label for key in self.api_keys]
        flaws = [
            Flaw(("api_keys", index, "label"), f"{label!r} stands twice, labels are unique in a file")
            for index, label in enumerate(labels)
            if label in labels[:index]
        ]
        if flaws:
            raise several(flaws)
        return self

    @model_validator(mode="after")
    def has_paths(self) -> Self:
        self.locate()
        return self
