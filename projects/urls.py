"""Paths of projects: `urlpatterns` below an organization, `root_urlpatterns` below `/api/`."""

from django.urls import re_path

from core6.api.routers import Router
from projects.views import AllProjectsViewSet, ProjectViewSet, RootProjectViewSet

router, root_router = Router(), Router()
router.register("projects", ProjectViewSet, basename="organizations_projects")
# The list is another viewset: it is about several organizations.
root_router.routes = [route for route in root_router.routes if route.detail]
root_router.register("projects", RootProjectViewSet, basename="projects")
urlpatterns = router.urls
root_urlpatterns = [
    re_path(
        r"^projects/?$",
        AllProjectsViewSet.as_view({"get": "list", "post": "create"}, basename="projects", detail=False),
        name="projects-list",
    ),
    *root_router.urls,
]
