"""Paths of roles below an organization."""

from core6.api.routers import Router
from roles.views import RoleMembershipViewSet, RoleViewSet

router = Router()
router.register("roles", RoleViewSet, basename="roles")
router.register("roles/(?P<role_id>[^/]+)/role_memberships", RoleMembershipViewSet, basename="role_memberships")
urlpatterns = router.urls
