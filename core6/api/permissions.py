"""What a caller may do, asked in the documented order (D48), each refusal with its own text."""

from typing import TYPE_CHECKING, Any, cast

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from core6.accounts import scopes
from core6.accounts.models import PersonalAPIKey

if TYPE_CHECKING:  # at run time the import would be circular
    from core6.api.scoping import ScopedViewSet


class IsAllowed(BasePermission):
    """401 without a key; then the tenant (404), the key's restrictions, its scopes, membership and level (403).

    A method that the view does not support needs no scope and no level: it is 405 after this.
    """

    def has_permission(self, request: Request, view: "ScopedViewSet[Any]") -> bool:  # type: ignore[override]  # only our views
        if request.auth is None:
            raise NotAuthenticated
        key = cast("PersonalAPIKey", request.auth)
        tenant = view.tenant
        if key.scoped_teams:
            if tenant.project_id is None:
                raise PermissionDenied("API keys with scoped projects are only supported on project-based endpoints.")
            if tenant.project_id not in key.scoped_teams:
                raise PermissionDenied(
                    f"API key does not have access to the requested project: ID {tenant.project_id}."
                )
        if key.scoped_organizations and tenant.organization.id not in key.scoped_organizations:
            raise PermissionDenied(
                f"API key does not have access to the requested organization: ID {tenant.organization.id}."
            )
        for scope in view.required_scopes():
            if not scopes.grants(key.scopes, scope):
                raise PermissionDenied(f"API key missing required scope '{scope}'")
        if tenant.level is None:
            raise PermissionDenied(view.not_a_member)
        if tenant.level < view.required_level():
            raise PermissionDenied(view.level_too_low)
        return True
