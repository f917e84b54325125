"""The descriptions of the operations on the caller, the key and organizations in the OpenAPI schema."""

from drf_spectacular.utils import extend_schema_view

from core6.api.openapi.operations import operation

users = extend_schema_view(
    retrieve=operation(
        "Retrieve the caller",
        "Returns the caller with the current project, the current organization and all organizations.",
    ),
)
keys = extend_schema_view(
    retrieve=operation(
        "Retrieve the caller's key", "Returns the API key of the request and its scopes, without its secret value."
    ),
)
organizations = extend_schema_view(
    list=operation(
        "List all organizations", "Lists the organizations of the caller with their projects, oldest first."
    ),
    retrieve=operation("Retrieve organizations", "Returns an organization of the caller with its projects."),
)
members = extend_schema_view(
    list=operation("List all members", "Lists the members of the organization with their access levels, oldest first."),
)
