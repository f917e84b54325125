"""The pages that people look at: the first one, and those of the schema. No one needs another host or a key."""

from collections.abc import Iterable
from typing import Any

from django.urls import path, re_path
from django.views.generic import TemplateView
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


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


class SchemaView(SpectacularAPIView):
    """`/api/schema/`: the OpenAPI schema, as YAML or as JSON."""

    content_negotiation_class = FormatByQuery


urlpatterns = [
    path("", IndexView.as_view()),
    re_path(r"^api/schema/?$", SchemaView.as_view(), name="schema"),
    re_path(
        r"^api/schema/swagger-ui/?$",
        SpectacularSwaggerView.as_view(url_name="schema", template_name="core6/swagger_ui.html"),
    ),
    re_path(r"^api/schema/redoc/?$", SpectacularRedocView.as_view(url_name="schema", template_name="core6/redoc.html")),
]
