"""The project that a token belongs to."""

from typing import NamedTuple
from uuid import UUID

from projects.models import Project


class Target(NamedTuple):
    """A project, as far as ingestion needs it."""

    id: int
    organization_id: UUID
    anonymize_ips: bool
    ingested_event: bool


def project_of(token: str) -> Target | None:
    """Return the project of a token; None for an unknown one, and for one that was reset."""
    if "\0" in token or not token.isascii():
        return None
    rows = Project.objects.filter(api_token=token)
    found = rows.values_list("id", "organization_id", "anonymize_ips", "ingested_event").first()
    return Target(*found) if found else None
