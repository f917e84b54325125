"""What the schema says of the operations on the caller's own things and organizations."""

from typing import Final

from core6.api.documentation import Operation

USERS: Final = {
    "retrieve": Operation("Retrieve the caller", "Who calls, where `@current` leads, and every organization."),
}
KEYS: Final = {
    "retrieve": Operation("Retrieve the caller's key", "The key of the call and what it may do, without its value."),
}
ORGANIZATIONS: Final = {
    "list": Operation("List all organizations", "The organizations that the caller belongs to, oldest first."),
    "retrieve": Operation("Retrieve organizations", "One organization that the caller belongs to, with its projects."),
}
MEMBERS: Final = {
    "list": Operation(
        "List all members", "The members of the organization with their levels, in the order of joining."
    ),
}
