"""The organization that a request is about, and the caller's level there."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict

from django.db.models import (
    Case,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    When,
)

from core6.accounts.models import Membership, Organization, User
from core6.api.ids import CURRENT, parse_uuid

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

PROJECTS_ONLY: Final = "API keys with scoped projects are only supported on project-based endpoints."


class CallerLevel(TypedDict):
    """The annotation of tenant queries: the caller's level, None if not a member."""

    caller_level: int | None


@dataclass(frozen=True)
class Tenant:
    """The organization, and perhaps the project, of a request, with the caller's level (None: not a member)."""

    organization: Organization
    level: int | None
    project_id: int | None = None


def membership_level(user: User, organization: str) -> Subquery:
    """Return a subquery for the user's level in the organization of the outer column `organization`."""
    return Subquery(Membership.objects.filter(user=user, organization=OuterRef(organization)).values("level"))


def organizations_of(user: User, segment: str) -> "QuerySet[WithAnnotations[Organization, CallerLevel]]":
    """Return the organization of a path segment, with the caller's level in it as `caller_level`.

    `@current` is the one that the user viewed last, else the first one joined.
    """
    organizations = Organization.objects.annotate(caller_level=membership_level(user, "pk"))
    if segment != CURRENT:
        key = parse_uuid(segment)
        return organizations.filter(pk=key) if key else organizations.none()
    is_current = Q(memberships__organization=user.current_organization_id)
    return organizations.filter(memberships__user=user).order_by(
        Case(When(is_current, then=0), default=1), "memberships__joined_at", "pk"
    )
