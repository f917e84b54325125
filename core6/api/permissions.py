"""The permission checks of a request in their documented order (D48)."""

from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from core6.accounts import scopes

if TYPE_CHECKING:  # at run time the import would be circular
    from core6.api.viewsets import ScopedViewSet


class IsAllowed(BasePermission):
    """401 without a key; then the tenant (404), the key's restrictions, its scopes, membership and level (403).

    A method that the view does not support needs no scope and no level: the response is 405 later.
    """

    def has_permission(self, request: Request, view: "ScopedViewSet[Any]") -> bool:  # type: ignore[override]  # only our views
        if request.auth is None:
            raise NotAuthenticated
        view.check_restrictions()
        for scope in view.required_scopes():
            if not scopes.grants(view.key.scopes, scope):
                raise PermissionDenied(f"API key missing required scope '{scope}'")
        view.check_level()
        return True
