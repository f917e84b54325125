"""The descriptions of the operations on the caller, the key and organizations in the OpenAPI schema."""

from typing import Final

from core6.api.openapi.operations import Operation

USERS: Final = {
    "retrieve": Operation(
        "Retrieve the caller",
        "Returns the caller with the current project, the current organization and all organizations.",
    ),
}
KEYS: Final = {
    "retrieve": Operation(
        "Retrieve the caller's key", "Returns the API key of the request and its scopes, without its secret value."
    ),
}
ORGANIZATIONS: Final = {
    "list": Operation(
        "List all organizations", "Lists the organizations of the caller with their projects, oldest first."
    ),
    "retrieve": Operation("Retrieve organizations", "Returns an organization of the caller with its projects."),
}
MEMBERS: Final = {
    "list": Operation(
        "List all members", "Lists the members of the organization with their access levels, oldest first."
    ),
}
