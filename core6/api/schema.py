"""What our endpoints tell drf-spectacular: the real service's operationIds and tags (D21)."""

from typing import Any, cast

from drf_spectacular.openapi import AutoSchema

from core6.api.scoping import ScopedViewSet


class OperationSchema(AutoSchema):
    """`annotations_list` of tag `annotations`, whatever the path in front of the resource is."""

    def get_operation_id(self) -> str:
        return f"{self._viewset.basename}_{self._viewset.action}"

    def get_tags(self) -> list[str]:
        return [str(self._viewset.basename)]

    @property
    def _viewset(self) -> ScopedViewSet[Any]:
        return cast("ScopedViewSet[Any]", self.view)
