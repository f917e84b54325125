"""Create, update and destroy, each in one transaction: what is refused halfway leaves no trace."""

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
        data = request.data  # a body that cannot be read is told before an object that is not there (D48)
        with transaction.atomic():
            # The library's own would forget what was prefetched, and so ask again for every related row.
            serializer = self.get_serializer(self.get_object(), data=data, partial=kwargs.pop("partial", False))
            serializer.is_valid(raise_exception=True)
            self.perform_update(serializer)
            return Response(serializer.data)


class AtomicDestroy(mixins.DestroyModelMixin):
    """DELETE, with what hangs on the row."""

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with transaction.atomic():
            return super().destroy(request, *args, **kwargs)


class HardDeleteForbidden:
    """DELETE is 405 with an empty body, without looking the id up (D8), and `Allow` does not list it (D27)."""

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response(status=405)

    @property
    def allowed_methods(self) -> list[str]:
        methods: list[str] = super().allowed_methods  # type: ignore[misc]  # APIView's, whose mixin this is
        return [method for method in methods if method != "DELETE"]
