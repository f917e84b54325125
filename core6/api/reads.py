"""GET of lists and of single objects: declarations of a viewset are prepared once, its custom code runs each time.

`List` and `Retrieve` are REST framework's mixins with three optimizations. Rows are read as columns, from which a
compiled serializer makes JSON. Declared rows (`TenantScopedViewSet.rows`) are read by a prepared statement. Responses
are cached by revision (core6.api.response_cache). A viewset gets only those optimizations that do not affect its custom
code (core6.api.repeatable); if it gets none, the reason is logged once.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from core6.api import conditional, response_cache
from core6.api.plans import plan_of, values_of
from core6.api.renderers import JSONRenderer
from core6.api.time_limits import limited_search
from core6.database import replica


class List(ListModelMixin):
    """GET of a list."""

    def list(self: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        def make() -> Response:
            with limited_search() if request.query_params.get("search") else nullcontext():
                return self._listed(request, *args, **kwargs)  # type: ignore[no-any-return]  # of a viewset

        return respond(self, make)

    def _listed(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        rows = plan_of(self).rows(self)
        page = None if rows is None else self.paginate_queryset(rows)
        if page is None:
            return super().list(request, *args, **kwargs)
        return self.get_paginated_response(page)  # type: ignore[no-any-return]  # of a viewset


class Retrieve(RetrieveModelMixin):
    """GET of one object."""

    def retrieve(self: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        return respond(self, lambda: self._retrieved(request, *args, **kwargs))

    def _retrieved(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        plan = plan_of(self)
        if plan.one is None or request.query_params:
            return super().retrieve(request, *args, **kwargs)
        key = self.object_id()
        rows = [] if key is None else plan.one.run({**values_of(self), "id": key}, replica.alias())
        if not rows:
            raise Http404
        return Response(plan.represent(self, rows)[0])


def respond(view: Any, make: Callable[[], Response]) -> HttpResponseBase:
    """Return what `make` returns, or its cached result for the same request and the same revision."""
    key = response_cache.cache_key(view) if plan_of(view).is_repeatable else None
    if key is None:
        return make()
    revision = view.access.revision
    cached = response_cache.get(key, revision)
    if cached is None:
        response, is_watched = _read(view, make)
        if not is_watched:
            return response
        # Rows read after the revision are of it or of a later one, and no later request gets an earlier revision.
        content = JSONRenderer().render(response.data)
        tag = conditional.tag_of_response(view, response.data, content)
        cached = response_cache.CachedResponse(revision, content, tag)
        response_cache.put(key, cached)
    sent = HttpResponse(cached.content, content_type=JSONRenderer.media_type, headers={"ETag": cached.tag})
    return conditional.not_modified(sent) if conditional.is_known(cached.tag, view.request) else sent


def _read(view: Any, make: Callable[[], Response]) -> tuple[Response, bool]:
    """Return what `make` returns, read from the replica if it is up to date, and whether the revision covers it."""

    def make_on_replica() -> Response:
        replica.check_state(replica.state(view.access.organization.pk), view.access.revision)
        with response_cache.recorded_statements() as texts:
            response = make()
        if not response_cache.are_watched(texts):
            raise replica.Behind
        return response

    from_replica = replica.attempt(make_on_replica) if replica.is_available() else None
    if from_replica is not None:
        return from_replica, True
    with response_cache.recorded_statements() as texts:
        response = make()
    return response, response_cache.are_watched(texts)
