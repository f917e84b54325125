"""The schema of a provisioning file, which is validated before the database is used."""

import json
import math
import re
from contextlib import suppress
from typing import Any, Final, Self

import pydantic
import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from core6.accounts import scopes
from core6.accounts.models import Level

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MOST_REPEATED: Final = 100_000
LEVELS = {level.name.lower(): level for level in Level}


class WorldError(Exception):
    """The file is invalid; the message is one line with the path of the property."""


class Entry(BaseModel):
    """A mapping in the file; unknown properties are an error."""

    model_config = ConfigDict(extra="forbid", strict=True)

    def given(self, *names: str) -> dict[str, Any]:
        """Return the named properties that are set in the file."""
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}


class UserEntry(Entry):
    """A user, found by email."""

    email: str
    first_name: str = ""
    last_name: str = ""
    is_active: bool = True
    is_email_verified: bool | None = None
    role_at_organization: str | None = None
    hedgehog_config: dict[str, Any] | None = None
    is_staff: bool = False
    password: str | None = None


class DashboardEntry(Entry):
    """A dashboard, found by name."""

    name: str


class InsightEntry(Entry):
    """An insight, found by name."""

    name: str
    derived_name: str | None = None


class GroupTypeEntry(Entry):
    """A group type, found by its name; its index is its position in the list."""

    group_type: str
    name_singular: str | None = None
    name_plural: str | None = None


class ProjectEntry(Entry):
    """A project, found by name in its organization; it may also have any writable field of a project."""

    model_config = ConfigDict(extra="allow", strict=True)

    name: str
    api_token: str = Field("", pattern=r"^phc_\S+$")
    dashboards: list[DashboardEntry] = []
    insights: list[InsightEntry] = []
    group_types: list[GroupTypeEntry] = []
    # Records, or the path of a file of records; core6.analytics checks each while loading.
    persons: list[Any] | str = []
    events: list[Any] | str = []

    @field_validator("persons", "events", mode="before")
    @classmethod
    def is_a_list_or_a_path(cls, value: Any) -> Any:
        if not isinstance(value, list | str):
            raise ValueError("expected a list, or the path of an NDJSON file")  # noqa: TRY004  # as pydantic requires
        return value


class RoleEntry(Entry):
    """A role, found by name; its members are emails of the organization's members."""

    name: str
    members: list[str] = []


class OrganizationEntry(Entry):
    """An organization, found by name."""

    name: str
    members: dict[str, str] = {}
    roles: list[RoleEntry] = []
    default_role: str | None = None
    projects: list[ProjectEntry] = []

    @field_validator("members")
    @classmethod
    def are_levels(cls, value: dict[str, str]) -> dict[str, str]:
        for email, level in value.items():
            if level not in LEVELS:
                raise ValueError(f"{email}: {level!r} is no level, expected one of {', '.join(LEVELS)}")
        return value


class KeyEntry(Entry):
    """A personal API key, found by user and label."""

    label: str
    user: str
    scopes: list[str]
    scoped_organizations: list[str] = []
    scoped_projects: list[str] = []
    value: str = Field("", min_length=16, pattern=r"^\S+$")

    @field_validator("scopes")
    @classmethod
    def are_known(cls, value: list[str]) -> list[str]:
        for scope in value:
            if not scopes.is_valid(scope):
                raise ValueError(f"there is no scope {scope!r}")
        return value


class World(Entry):
    """The whole file: `users`, `organizations` with their contents, `api_keys`."""

    users: list[UserEntry] = []
    organizations: list[OrganizationEntry] = []
    api_keys: list[KeyEntry] = []

    @model_validator(mode="after")
    def has_unique_labels(self) -> Self:
        labels = [key.label for key in self.api_keys]
        for index, label in enumerate(labels):
            if label in labels[:index]:
                raise ValueError(f"api_keys[{index}].label: {label!r} stands twice, labels are unique in a file")
        return self


def read(text: str) -> World:
    """Return the world in a YAML or JSON text; raises WorldError."""
    data = _parsed(text)
    _check_storable(data)
    try:
        return World.model_validate({} if data is None else data)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        path = dotted(first["loc"])
        message = {
            "extra_forbidden": "unknown property",
            "missing": "this property is required",
        }.get(first["type"], first["msg"].removeprefix("Value error, "))
        raise WorldError(" ".join(f"{path}: {message}".removeprefix(": ").split())) from error


def _parsed(text: str) -> Any:
    # JSON is YAML, but PyYAML decodes the surrogate pair of an emoji in JSON to two invalid characters.
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        _check_aliases(node)
        return None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # an invalid date is a ValueError
        # Not the error message, which may show a line with a key.
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}: {error.problem}" if mark and isinstance(error, yaml.MarkedYAMLError) else ""
        raise WorldError(f"the file is neither YAML nor JSON{where}") from error


def _check_aliases(root: yaml.Node | None) -> None:
    """Refuse recursive aliases, and aliases that repeat too many values, before they are expanded."""
    seen: set[int] = set()
    repeated = 0
    rest = [] if root is None else [root]
    while rest:
        node = rest.pop()
        repeated += id(node) in seen
        if repeated > _MOST_REPEATED:
            raise WorldError(
                f"the file has aliases that contain themselves or repeat more than {_MOST_REPEATED:,} values"
            )
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            rest += node.value
        elif isinstance(node, yaml.MappingNode):
            rest += [part for pair in node.value for part in pair]


def _check_storable(data: Any) -> None:
    """Refuse texts and numbers, at any depth, that the database cannot store."""
    rest: list[tuple[tuple[str | int, ...], Any]] = [((), data)]
    while rest:
        path, value = rest.pop()
        if isinstance(value, dict):
            rest += [((*path, str(key)), each) for key, each in value.items()]
            rest += [((*path, repr(key)), key) for key in value if isinstance(key, str)]
        elif isinstance(value, list):
            rest += [((*path, index), each) for index, each in enumerate(value)]
        elif isinstance(value, float) and not math.isfinite(value):
            raise WorldError(f"{dotted(path)}: {value} is no number that can be stored")
        elif isinstance(value, str) and _UNSTORABLE.search(value):
            raise WorldError(f"{' '.join(dotted(path).split())}: the text has a character that cannot be stored")


def dotted(location: tuple[str | int, ...]) -> str:
    """Return a path as text: `organizations[0].projects[1].timezone`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")
