"""Paths of projects: `urlpatterns` below an organization, `root_patterns` below `/api/`."""

from django.urls import URLPattern, re_path

from core6.api.routers import Router
from projects.views import AllProjectsViewSet, ProjectViewSet, RootProjectViewSet

router = Router()
router.register("projects", ProjectViewSet, basename="organizations_projects")
urlpatterns = router.urls


def root_patterns(name: str) -> list[URLPattern]:
    """Return the paths of all projects under the name `projects` or `environments`."""
    root_router = Router()
    # The list has another viewset, since it spans several organizations.
    root_router.routes = [route for route in root_router.routes if route.detail]
    root_router.register(name, RootProjectViewSet, basename="projects")
    all_projects = AllProjectsViewSet.as_view({"get": "list", "post": "create"}, basename="projects", detail=False)
    return [re_path(rf"^{name}/?$", all_projects, name="projects-list"), *root_router.urls]
