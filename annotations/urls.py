"""Paths of annotations below a project."""

from annotations.views import AnnotationViewSet
from core6.api.routers import Router

router = Router()
router.register("annotations", AnnotationViewSet, basename="annotations")
urlpatterns = router.urls
