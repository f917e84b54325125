"""The URLs of everything; the only module that refers to every resource."""

from django.urls import URLResolver, include, path, re_path
from django.urls.resolvers import RoutePattern
from django.views.generic import RedirectView

import projects.urls
from core6.api import errors
from core6.observability import routes

_BELOW_PROJECTS = ("annotations.urls", "cohorts.urls")
# No two match the same URL. They are tried in this order, the most frequent ones first.
urlpatterns = [
    *(path("api/projects/<str:project_id>/", include(each)) for each in _BELOW_PROJECTS),
    path("api/organizations/<str:organization_id>/", include("roles.urls")),
    path("api/organizations/<str:organization_id>/", include("projects.urls")),
    path("api/", include(projects.urls.root_patterns("projects"))),
    path("api/", include("core6.me.urls")),
    # An alias of projects, with the same ids (D73).
    *(path("api/environments/<str:project_id>/", include(each)) for each in _BELOW_PROJECTS),
    path("api/", include(projects.urls.root_patterns("environments"))),
    path("", include("core6.api.openapi.pages")),
    path("", include("core6.capture.urls")),
    path("admin", RedirectView.as_view(url="/admin/")),
    # Not include(), which would load the console at every start: this loads it with the first request for it.
    URLResolver(RoutePattern("admin/"), "core6.console.urls", app_name="admin", namespace="admin"),
    *(
        re_path(rf"^api/{parent}/(?P<project_id>[^/]+)/query/?$", errors.not_emulated)
        for parent in ("projects", "environments")
    ),
    # Django's 404 would be an HTML page in debug mode.
    re_path(r"^api(?:/|$)", errors.not_found, name=routes.UNMATCHED),
]

handler400 = "core6.api.error_pages.bad_request"
handler403 = "core6.api.error_pages.forbidden"
handler404 = "core6.api.error_pages.not_found"
handler500 = "core6.api.error_pages.server_error"
