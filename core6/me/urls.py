"""Paths about the caller, below `/api/`."""

from django.urls import re_path

from core6.api.routers import Router
from core6.me.views import OrganizationViewSet, PersonalAPIKeyViewSet, UserViewSet

router = Router()
router.register("organizations", OrganizationViewSet, basename="organizations")
urlpatterns = [
    re_path(r"^users/@me/?$", UserViewSet.as_view({"get": "retrieve"}, basename="users")),
    re_path(
        r"^personal_api_keys/@current/?$",
        PersonalAPIKeyViewSet.as_view({"get": "retrieve"}, basename="personal_api_keys"),
    ),
    *router.urls,
]
