"""One run of the provisioning of a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core6.accounts.models import User
from core6.provisioning.entries import RoleEntry
from core6.provisioning.errors import Problems
from core6.provisioning.project_entries import AnnotationEntry, CohortEntry


@dataclass(frozen=True)
class Run:
    """The errors so far, fixed values of keys by their labels, and what paths in the file are relative to.

    Without `base` paths are refused: the file comes from somebody who may not read files here.
    """

    problems: Problems
    values: Mapping[str, str]
    base: Path | None
    _users: dict[str, User] = field(default_factory=dict)

    def user(self, email: str, path: str) -> User:
        """Return the user with an email; raises WorldError."""
        found = self._users.get(email) or User.objects.filter(email__iexact=email).first()
        if found is None:
            raise self.problems.missing(path, email, f"there is no user {email!r}: add one to users")
        self._users[email] = found
        return found

    def creator(self, entry: RoleEntry | CohortEntry | AnnotationEntry) -> dict[str, Any]:
        """Return `created_by` as the property of a row, if the entry has it; raises WorldError."""
        if "created_by" not in entry.model_fields_set:
            return {}
        email = entry.created_by
        return {"created_by": None if email is None else self.user(email, f"{entry.path}.created_by")}
