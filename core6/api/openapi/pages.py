"""The pages for people: the index, and those of the schema. None needs another host or a key."""

import json
from collections.abc import Iterable
from functools import cache
from threading import Lock
from typing import Any, Final, cast

from csp.middleware import CSPMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path, re_path
from django.utils.decorators import decorator_from_middleware
from django.views.generic import TemplateView, View
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core6.api import conditional
from core6.api.openapi.api_schema import api_schema
from core6.api.openapi.documents import DocumentView, titles
from core6.api.openapi.page_operations import PAGE_OPERATIONS
from core6.api.openapi.samples import HOST as PLACEHOLDER
from core6.api.renderers import JSONRenderer
from core6.terminal.program import release

_MAKING_SCHEMA: Final = Lock()


class IndexView(TemplateView):
    """`/`: a description, commands to try, and links."""

    template_name = "core6/index.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        host = self.request.build_absolute_uri("/").rstrip("/")
        return {"host": host, "release": release(), "documents": titles()}


class FormatByQuery(DefaultContentNegotiation):
    """Selects the format by `?format=json` or `?format=yaml`, or by Accept."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        chosen: tuple[BaseRenderer, str] = super().select_renderer(
            request, renderers, format_suffix or request.query_params.get("format")
        )
        return chosen


class JSONErrors(APIView):
    """A view whose errors are JSON, whatever its other responses are (D17)."""

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        if getattr(response, "exception", False):
            request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return super().finalize_response(request, response, *args, **kwargs)


@cache
def _schema(renderer: type[BaseRenderer]) -> bytes:
    """Return the rendered schema, with a placeholder for the host; cached, since this takes half a second."""
    return cast("bytes", renderer().render(api_schema(), renderer.media_type, {}))


class SchemaView(JSONErrors, SpectacularAPIView):
    """`/api/schema/`: the OpenAPI schema as YAML or JSON, with the host of the request."""

    content_negotiation_class = FormatByQuery

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        renderer = request.accepted_renderer
        host = request.build_absolute_uri("/").rstrip("/")
        with _MAKING_SCHEMA:  # the first concurrent requests wait for one of them
            made = _schema(type(renderer))  # type: ignore[arg-type]  # mypy takes the class for an instance
        content = made.replace(PLACEHOLDER.encode(), host.encode())
        tag = f'"{conditional.digest(content)}"'
        charset = f"; charset={renderer.charset}" if renderer.charset else ""
        response = HttpResponse(content, content_type=f"{renderer.media_type}{charset}")
        response.headers["Content-Disposition"] = f'inline; filename="Core6.{renderer.format}"'
        response.headers["ETag"] = tag
        return conditional.not_modified(response) if conditional.is_known(tag, request) else response


class SwaggerView(JSONErrors, SpectacularSwaggerView):
    """`/api/schema/swagger-ui/`: Swagger UI, to try operations."""

    template_name = "core6/swagger_ui.html"
    title = "Try the API | Core6"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        response.data["operations"] = PAGE_OPERATIONS
        response.data["operations_json"] = json.dumps(PAGE_OPERATIONS)
        response.data["is_whole"] = "all" in request.query_params
        del response.headers["Cross-Origin-Opener-Policy"]  # the page opens no windows
        return response


class RedocView(JSONErrors, SpectacularRedocView):
    """`/api/schema/redoc/`: Redoc, to read about operations."""

    template_name = "core6/redoc.html"
    title = "API reference | Core6"


class FaviconView(View):
    """`/favicon.ico`: browsers request it with responses that name no icon, such as the schema."""

    image = (settings.BASE_DIR / "core6" / "static" / "core6" / "favicon.svg").read_bytes()

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(self.image, content_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})


#: Adds Content-Security-Policy, to pages only: API clients ignore it, and it would cost them time.
with_policy = decorator_from_middleware(CSPMiddleware)

urlpatterns = [
    path("", with_policy(IndexView.as_view())),
    path("docs/<slug:name>/", with_policy(DocumentView.as_view())),
    path("favicon.ico", FaviconView.as_view()),
    re_path(r"^api/schema/?$", SchemaView.as_view(), name="schema"),
    re_path(r"^api/schema/swagger-ui/?$", with_policy(SwaggerView.as_view())),
    re_path(r"^api/schema/redoc/?$", with_policy(RedocView.as_view())),
]
