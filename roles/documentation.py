"""The descriptions of the operations on roles and their memberships in the OpenAPI schema."""

from typing import Final

from core6.api.openapi.operations import ADMINISTRATORS, Operation

ROLES: Final = {
    "list": Operation("List all roles", "Lists the roles of the organization with their members, oldest first."),
    "create": Operation(
        "Create roles",
        f"Creates a role. Its name must be unique in the organization, ignoring case.{ADMINISTRATORS}",
        {"name": "Support"},
    ),
    "retrieve": Operation("Retrieve roles", "Returns a role with its members."),
    "update": Operation("Replace roles", f"Renames a role.{ADMINISTRATORS}", {"name": "Customer support"}),
    "partial_update": Operation("Update roles", f"Renames a role.{ADMINISTRATORS}", {"name": "Customer support"}),
    "destroy": Operation("Delete roles", f"Deletes a role and its memberships permanently.{ADMINISTRATORS}"),
}
MEMBERSHIPS: Final = {
    "list": Operation("List all role memberships", "Lists the memberships of the role, oldest first."),
    "create": Operation(
        "Create role memberships",
        f"Adds a member of the organization to the role.{ADMINISTRATORS}",
        {"user_uuid": "095be615-a8ad-4c33-8e9c-c7612fbf6c9f"},
    ),
    "retrieve": Operation("Retrieve role memberships", "Returns a membership of the role."),
    "destroy": Operation("Delete role memberships", f"Removes the member from the role.{ADMINISTRATORS}"),
}
