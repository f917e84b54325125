"""Create, update and destroy, each in one transaction, so that an error undoes everything."""

from typing import Any

from django.db import transaction
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet


class AtomicCreate(mixins.CreateModelMixin):
    """POST."""

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with transaction.atomic():
            return super().create(request, *args, **kwargs)


class AtomicUpdate(mixins.UpdateModelMixin, GenericViewSet[Any]):
    """PUT and PATCH; the row is locked from reading to writing (ScopedViewSet.get_queryset)."""

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        data = request.data  # an invalid body is an error before an unknown object is one (D48)
        with transaction.atomic():
            # REST framework's update() would discard the prefetched rows, and query them again.
            serializer = self.get_serializer(self.get_object(), data=data, partial=kwargs.pop("partial", False))
            serializer.is_valid(raise_exception=True)
            self.perform_update(serializer)
            return Response(serializer.data)


class AtomicDestroy(mixins.DestroyModelMixin):
    """DELETE, including dependent rows."""

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with transaction.atomic():
            return super().destroy(request, *args, **kwargs)


class HardDeleteForbidden:
    """DELETE is 405 with an empty body, without looking up the id (D8), and is not in `Allow` (D27)."""

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response(status=405)

    @property
    def allowed_methods(self) -> list[str]:
        methods: list[str] = super().allowed_methods  # type: ignore[misc]  # APIView's, whose mixin this is
        return [method for method in methods if method != "DELETE"]
