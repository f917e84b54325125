"""What the schema says of the operations on roles and their memberships."""

from typing import Final

from core6.api.documentation import ADMINISTRATORS, Operation

ROLES: Final = {
    "list": Operation("List all roles", "The roles of the organization with their members, oldest first."),
    "create": Operation(
        "Create roles",
        f"Makes a role; no other of the organization may have its name, whatever the case.{ADMINISTRATORS}",
        {"name": "Support"},
    ),
    "retrieve": Operation("Retrieve roles", "One role of the organization with its members."),
    "update": Operation("Replace roles", f"Gives the role another name.{ADMINISTRATORS}", {"name": "Customer support"}),
    "partial_update": Operation(
        "Update roles", f"Gives the role another name.{ADMINISTRATORS}", {"name": "Customer support"}
    ),
    "destroy": Operation("Delete roles", f"Ends the role and its memberships, for good.{ADMINISTRATORS}"),
}
MEMBERSHIPS: Final = {
    "list": Operation("List all role memberships", "Who is in the role, in the order of joining."),
    "create": Operation(
        "Create role memberships",
        f"Puts an active member of the organization, named by the uuid of the user, into the role.{ADMINISTRATORS}",
        {"user_uuid": "095be615-a8ad-4c33-8e9c-c7612fbf6c9f"},
    ),
    "retrieve": Operation("Retrieve role memberships", "One membership of the role."),
    "destroy": Operation("Delete role memberships", f"Takes the member out of the role.{ADMINISTRATORS}"),
}
