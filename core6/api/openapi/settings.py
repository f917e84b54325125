"""The settings of drf-spectacular."""

from typing import Final

SPECTACULAR_SETTINGS = {
    "TITLE": "Core6",
    "VERSION": "0.1.0",
    "DESCRIPTION": "Project actions, roles, annotations and cohorts.",
    "OAS_VERSION": "3.0.3",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "AUTHENTICATION_WHITELIST": ["core6.api.authentication.PersonalAPIKeyAuthentication"],
    "SERVE_PUBLIC": True,
    "SORT_OPERATION_PARAMETERS": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"persistAuthorization": True, "displayOperationId": True, "defaultModelsExpandDepth": 0},
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "core6.api.openapi.schema.without_gaps",
        "core6.api.openapi.schema.with_host",
    ],
    "ENUM_NAME_OVERRIDES": {
        "CreationTypeEnum": "annotations.models.Annotation.CreationType",
        "AnnotationScopeEnum": "annotations.models.Annotation.Scope",
        "EffectiveMembershipLevelEnum": "core6.accounts.models.Level",
        "CohortTypeEnum": "cohorts.models.Cohort.CohortType",
        "RoleAtOrganizationEnum": "core6.accounts.models.User.RoleAtOrganization",
    },
}
#: Of the pages alone (core6/api/openapi/pages.py). Swagger UI and Redoc write styles; Redoc searches in a worker.
CONTENT_SECURITY_POLICY: Final = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "worker-src": ["'self'", "blob:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
