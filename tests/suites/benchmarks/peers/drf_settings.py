"""Settings of peer `a`: those of the server, with REST framework as its documentation sets it up."""

from core6.settings import *  # noqa: F403  # the same database, models and keys
from core6.settings import DATABASES

ROOT_URLCONF = "tests.suites.benchmarks.peers.drf_views"
# What an API needs of the middleware of `startproject`.
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
DATABASES["default"].update(CONN_MAX_AGE=None, CONN_HEALTH_CHECKS=False)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tests.suites.benchmarks.peers.drf_access.KeyAuthentication"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "PAGE_SIZE": 100,
    "UNAUTHENTICATED_USER": None,
}
