"""Paths of projects: `urlpatterns` below an organization, `root_urlpatterns` below `/api/`."""

from core6.api.routers import Router
from projects.views import ProjectViewSet, RootProjectViewSet

router, root_router = Router(), Router()
router.register("projects", ProjectViewSet, basename="organizations_projects")
root_router.register("projects", RootProjectViewSet, basename="projects")
urlpatterns, root_urlpatterns = router.urls, root_router.urls
