"""The settings of REST framework, and of CORS."""

from typing import Any, Final

from corsheaders.defaults import default_headers

REST_FRAMEWORK: Final[dict[str, Any]] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["core6.api.authentication.PersonalAPIKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["core6.api.permissions.IsAllowed"],
    "DEFAULT_THROTTLE_CLASSES": ["core6.api.rate_limits.KeyThrottle"],
    "DEFAULT_PARSER_CLASSES": [
        "core6.api.parsers.JSONParser",
        "core6.api.parsers.FormParser",
        "core6.api.parsers.MultiPartParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["core6.api.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "core6.api.renderers.Negotiation",
    "DEFAULT_PAGINATION_CLASS": "core6.api.pagination.LimitOffsetPagination",
    "DEFAULT_SCHEMA_CLASS": "core6.api.openapi.schema.OperationSchema",
    "EXCEPTION_HANDLER": "core6.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
#: What scripts of those origins may send and read beside the ordinary.
CORS_ALLOW_HEADERS = [*default_headers, "if-match", "if-none-match", "idempotency-key", "x-request-id"]
CORS_EXPOSE_HEADERS = [
    *("ETag", "Idempotency-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id"),
]
