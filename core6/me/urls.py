"""Paths about the caller and the caller's organizations, below `/api/`."""

from django.urls import re_path

from core6.api.routers import Router
from core6.me.views import MemberViewSet, OrganizationViewSet, PersonalAPIKeyViewSet, UserViewSet

router = Router()
router.register("organizations", OrganizationViewSet, basename="organizations")
router.register("organizations/(?P<organization_id>[^/]+)/members", MemberViewSet, basename="members")
urlpatterns = [
    re_path(r"^users/@me/?$", UserViewSet.as_view({"get": "retrieve"}, basename="users")),
    re_path(
        r"^personal_api_keys/@current/?$",
        PersonalAPIKeyViewSet.as_view({"get": "retrieve"}, basename="personal_api_keys"),
    ),
    *router.urls,
]
