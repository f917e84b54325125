"""What our endpoints tell drf-spectacular: the real service's operationIds and tags (D21)."""

from typing import Any, cast

from drf_spectacular.openapi import AutoSchema

from core6.api.scoping import ScopedViewSet

_ORDINARY = ("list", "create", "retrieve", "update", "partial_update", "destroy")
_VERBS = {
    "GET": "retrieve",
    "POST": "create",
    "PUT": "update",
    "PATCH": "partial_update",
    "DELETE": "destroy",
}


class OperationSchema(AutoSchema):
    """`annotations_list` of tag `annotations`, whatever the path in front of the resource is."""

    def get_operation_id(self) -> str:
        view = self._viewset
        if view.action in _ORDINARY:
            return f"{view.basename}_{view.action}"
        prefix = "" if view.action in view.bare_operations else f"{view.basename}_"
        return f"{prefix}{view.action}_{_VERBS[self.method]}"

    def get_tags(self) -> list[str]:
        return [str(self._viewset.basename)]

    @property
    def _viewset(self) -> ScopedViewSet[Any]:
        return cast("ScopedViewSet[Any]", self.view)
