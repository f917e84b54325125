"""The pages that people look at: the first one, and those of the schema. No one needs another host or a key."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final, cast

from csp.middleware import CSPMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path, re_path
from django.utils.decorators import decorator_from_middleware
from django.views.generic import TemplateView, View
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core6.api import conditional
from core6.api.openapi.samples import HOST as PLACEHOLDER
from core6.api.renderers import JSONRenderer

_MAKING_SCHEMA: Final = Lock()


class IndexView(TemplateView):
    """`/`: what this is, one line to try, and where to go on."""

    template_name = "core6/index.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {"host": self.request.build_absolute_uri("/").rstrip("/")}


class FormatByQuery(DefaultContentNegotiation):
    """Heeds `?format=json` and `?format=yaml`, as well as Accept."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        chosen: tuple[BaseRenderer, str] = super().select_renderer(
            request, renderers, format_suffix or request.query_params.get("format")
        )
        return chosen


class JSONErrors(APIView):
    """A view whose errors are JSON, whatever it answers otherwise (D17)."""

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        if getattr(response, "exception", False):
            request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return super().finalize_response(request, response, *args, **kwargs)


@cache
def _schema(renderer: type[BaseRenderer]) -> bytes:
    """Return the schema as a renderer writes it, with a placeholder for the host: making it takes half a second."""
    made = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return cast("bytes", renderer().render(made, renderer.media_type, {}))


class SchemaView(JSONErrors, SpectacularAPIView):
    """`/api/schema/`: the OpenAPI schema, as YAML or as JSON, with the host by which the client reached it."""

    content_negotiation_class = FormatByQuery

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        renderer = request.accepted_renderer
        host = request.build_absolute_uri("/").rstrip("/")
        with _MAKING_SCHEMA:  # those who ask first at the same time wait for one of them
            made = _schema(type(renderer))  # type: ignore[arg-type]  # mypy takes the class for an instance
        content = made.replace(PLACEHOLDER.encode(), host.encode())
        tag = f'"{conditional.digest(content)}"'
        charset = f"; charset={renderer.charset}" if renderer.charset else ""
        response = HttpResponse(content, content_type=f"{renderer.media_type}{charset}")
        response.headers["Content-Disposition"] = f'inline; filename="Core6.{renderer.format}"'
        response.headers["ETag"] = tag
        return conditional.not_modified(response) if conditional.is_known(tag, request) else response


class SwaggerView(JSONErrors, SpectacularSwaggerView):
    """`/api/schema/swagger-ui/`: every operation, to be tried out."""

    template_name = "core6/swagger_ui.html"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        del response.headers["Cross-Origin-Opener-Policy"]  # it opens no window that would have to answer
        return response


class RedocView(JSONErrors, SpectacularRedocView):
    """`/api/schema/redoc/`: every operation, to be read about."""

    template_name = "core6/redoc.html"


class FaviconView(View):
    """`/favicon.ico`: browsers ask for it beside what names no icon, the schema for example."""

    image = (Path(__file__).parents[2] / "static" / "core6" / "favicon.svg").read_bytes()

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(self.image, content_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})


#: Content-Security-Policy, for pages only: no API client heeds it, and each would wait for it.
with_policy = decorator_from_middleware(CSPMiddleware)

urlpatterns = [
    path("", with_policy(IndexView.as_view())),
    path("favicon.ico", FaviconView.as_view()),
    re_path(r"^api/schema/?$", SchemaView.as_view(), name="schema"),
    re_path(r"^api/schema/swagger-ui/?$", with_policy(SwaggerView.as_view())),
    re_path(r"^api/schema/redoc/?$", with_policy(RedocView.as_view())),
]
