"""GET of lists and of single objects: what a viewset declares is prepared once, what it overrides is called each time.

`List` and `Retrieve` are REST framework's mixins with three savings. Rows are read as columns, of which a compiled
serializer makes JSON. Rows that are declared (`TenantScopedViewSet.rows`) are read by a statement that is made once.
And an answer is kept for the revision that it is of (core6.api.kept). A viewset gets only those savings that make no
difference to its own code (core6.api.repeatable); the log says once why REST framework does all by itself.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from core6.api import conditional, kept
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
    """Return what `make` returns, or what it returned to the same request while the organization was as it is now."""
    place = kept.place_of(view) if plan_of(view).is_repeatable else None
    if place is None:
        return make()
    revision = view.access.revision
    answer = kept.find(place, revision)
    if answer is None:
        response, is_watched = _read(view, make)
        if not is_watched:
            return response
        # What is read after the revision is of it or of a later one, and nobody sees an earlier one from then on.
        content = JSONRenderer().render(response.data)
        answer = kept.Answer(revision, content, conditional.tag_of_answer(view, response.data, content))
        kept.keep(place, answer)
    sent = HttpResponse(answer.content, content_type=JSONRenderer.media_type, headers={"ETag": answer.tag})
    return conditional.not_modified(sent) if conditional.is_known(answer.tag, view.request) else sent


def _read(view: Any, make: Callable[[], Response]) -> tuple[Response, bool]:
    """Return what `make` returns, on the replica if that has everything, and whether the revision sees all of it."""

    def make_there() -> Response:
        replica.check_state(replica.state(view.access.organization.pk), view.access.revision)
        with kept.recorded() as texts:
            response = make()
        if not kept.are_watched(texts):
            raise replica.Behind
        return response

    there = replica.attempt(make_there) if replica.is_asked() else None
    if there is not None:
        return there, True
    with kept.recorded() as texts:
        response = make()
    return response, kept.are_watched(texts)
