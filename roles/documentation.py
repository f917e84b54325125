"""The descriptions of the operations on roles and their memberships in the OpenAPI schema."""

from drf_spectacular.utils import extend_schema_view

from core6.api.openapi.operations import ADMINISTRATORS, operation

roles = extend_schema_view(
    list=operation("List all roles", "Lists the roles of the organization with their members, oldest first."),
    create=operation(
        "Create roles",
        f"Creates a role. Its name must be unique in the organization, ignoring case.{ADMINISTRATORS}",
        {"name": "Support"},
    ),
    retrieve=operation("Retrieve roles", "Returns a role with its members."),
    update=operation("Replace roles", f"Renames a role.{ADMINISTRATORS}", {"name": "Customer support"}),
    partial_update=operation("Update roles", f"Renames a role.{ADMINISTRATORS}", {"name": "Customer support"}),
    destroy=operation("Delete roles", f"Deletes a role and its memberships permanently.{ADMINISTRATORS}"),
)
memberships = extend_schema_view(
    list=operation("List all role memberships", "Lists the memberships of the role, oldest first."),
    create=operation(
        "Create role memberships",
        f"Adds a member of the organization to the role.{ADMINISTRATORS}",
        {"user_uuid": "095be615-a8ad-4c33-8e9c-c7612fbf6c9f"},
    ),
    retrieve=operation("Retrieve role memberships", "Returns a membership of the role."),
    destroy=operation("Delete role memberships", f"Removes the member from the role.{ADMINISTRATORS}"),
)
