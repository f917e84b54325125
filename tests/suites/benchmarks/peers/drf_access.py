"""Who may do what in peer `a`: a key as TokenAuthentication would find it, and the place of its user."""

import hashlib
from typing import Any

from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotFound
from rest_framework.permissions import BasePermission

from core6.accounts.models import Membership, PersonalAPIKey, User
from projects.models import Project

CURRENT = "@current"


class KeyAuthentication(TokenAuthentication):
    """A personal API key, found by its digest."""

    keyword = "Bearer"

    def authenticate_credentials(self, key: str) -> Any:
        digest = f"sha256${hashlib.sha256(key.encode()).hexdigest()}"
        try:
            found = PersonalAPIKey.objects.select_related("user").get(secure_value=digest)
        except PersonalAPIKey.DoesNotExist:
            raise AuthenticationFailed("Invalid token.") from None
        if not found.user.is_active:
            raise AuthenticationFailed("User inactive or deleted.")
        return found.user, found


class IsMember(BasePermission):
    """The scopes and restrictions of the key; then the user's place in the organization, with a level."""

    def has_permission(self, request: Any, view: Any) -> bool:
        if request.auth is None:
            return False
        action = "read" if request.method in ("GET", "HEAD", "OPTIONS") else "write"
        allowed = {"*", f"{view.scope}:{action}", f"{view.scope}:write"}
        if not allowed & set(request.auth.scopes or ()):
            return False
        if view.kwargs.get("project_id") == CURRENT:
            view.kwargs["project_id"] = current_project(request.user)
        project, organization = view.kwargs.get("project_id"), view.kwargs.get("organization_id")
        where = {"organization": organization} if project is None else {"organization__projects": project}
        view.membership = Membership.objects.filter(user=request.user, **where).first()
        if view.membership is None or view.membership.level < view.level:
            return False
        projects, organizations = request.auth.scoped_teams, request.auth.scoped_organizations
        if projects and project not in projects:
            return False
        return not organizations or view.membership.organization_id in organizations


def current_project(user: User) -> int:
    """Return the project that the user last looked at, else the first one of the current organization."""
    mine = Project.objects.filter(organization__memberships__user=user).values_list("pk", flat=True)
    found = mine.filter(pk=user.current_project_id).first() if user.current_project_id else None
    if found is None:
        memberships = Membership.objects.filter(user=user).order_by("joined_at", "organization_id")
        membership = memberships.filter(organization=user.current_organization_id).first() or memberships.first()
        found = mine.filter(organization=membership.organization_id).order_by("pk").first() if membership else None
    if found is None:
        raise NotFound("Project not found.")
    return found
