"""Paths of cohorts below a project."""

from cohorts.views import CohortViewSet
from core6.api.routers import Router

router = Router()
router.register("cohorts", CohortViewSet, basename="cohorts")
urlpatterns = router.urls
