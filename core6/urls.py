"""Where everything is: the only module that names every resource."""

from django.urls import URLResolver, include, path, re_path
from django.urls.resolvers import RoutePattern
from django.views.generic import RedirectView

import projects.urls
from core6.api import errors
from core6.observability import routes

_OF_PROJECTS = ("annotations.urls", "cohorts.urls")
# No two match one address. Each is tried in turn: those come first that are asked the most.
urlpatterns = [
    *(path("api/projects/<str:project_id>/", include(each)) for each in _OF_PROJECTS),
    path("api/organizations/<str:organization_id>/", include("roles.urls")),
    path("api/organizations/<str:organization_id>/", include("projects.urls")),
    path("api/", include(projects.urls.root_patterns("projects"))),
    path("api/", include("core6.me.urls")),
    # Another name of projects, whose ids are the same (D73).
    *(path("api/environments/<str:project_id>/", include(each)) for each in _OF_PROJECTS),
    path("api/", include(projects.urls.root_patterns("environments"))),
    path("", include("core6.api.openapi.pages")),
    path("admin", RedirectView.as_view(url="/admin/")),
    # Not by include(), which would load the console's lists with every start: this does when one is asked for.
    URLResolver(RoutePattern("admin/"), "core6.console.urls", app_name="admin", namespace="admin"),
    # Django's own answer would be a page of HTML in debug mode.
    re_path(r"^api(?:/|$)", errors.not_found, name=routes.UNMATCHED),
]

handler400 = "core6.api.errors.bad_request"
handler403 = "core6.api.errors.forbidden"
handler404 = "core6.api.errors.not_found"
handler500 = "core6.api.errors.server_error"
