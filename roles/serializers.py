"""Roles and their memberships as JSON."""

from typing import Any, ClassVar

from rest_framework import serializers

from core6.accounts.models import Membership
from core6.api.number_fields import UUIDField
from core6.api.serializers import ModelSerializer, OrganizationMemberSerializer, UserBasicSerializer
from roles.models import Role, RoleMembership


class RoleMembershipSerializer(ModelSerializer[RoleMembership]):
    """A membership of a role."""

    role_id = serializers.UUIDField(read_only=True, help_text="ID of the role.")
    organization_member = OrganizationMemberSerializer(read_only=True, help_text="The member of the organization.")
    user = UserBasicSerializer(source="organization_member.user", read_only=True, help_text="The user of the member.")
    user_uuid = UUIDField(
        write_only=True, help_text="UUID of the user to add. The user must be an active member of the organization."
    )

    class Meta:
        model = RoleMembership
        fields = ("id", "role_id", "organization_member", "user", "joined_at", "updated_at", "user_uuid")
        read_only_fields = ("id", "joined_at", "updated_at")
        extra_kwargs: ClassVar = {
            "id": {"help_text": "ID of the role membership."},
            "joined_at": {"help_text": "When the member was added to the role."},
            "updated_at": {"help_text": "When the role membership was last changed."},
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        organization = self.context["view"].tenant.organization
        members = Membership.objects.select_related("user").filter(organization=organization, user__is_active=True)
        member = members.filter(user__uuid=attrs["user_uuid"]).first()
        if member is None:
            raise serializers.ValidationError("User does not exist.")
        return {"organization_member": member}


class RoleSerializer(ModelSerializer[Role]):
    """A role: a named group of members of an organization."""

    created_by = UserBasicSerializer(
        read_only=True, allow_null=True, help_text="The user who created the role. Null if unknown or deleted."
    )
    members = RoleMembershipSerializer(many=True, read_only=True, help_text="Memberships of the role, oldest first.")
    is_default = serializers.BooleanField(
        read_only=True, help_text="Whether the role is the default role of the organization."
    )

    class Meta:
        model = Role
        fields = ("id", "name", "created_at", "created_by", "members", "is_default")
        read_only_fields = ("id", "created_at")
        extra_kwargs: ClassVar = {
            "id": {"help_text": "ID of the role."},
            "name": {"help_text": "Name of the role. Unique in the organization, ignoring case."},
            "created_at": {"help_text": "When the role was created."},
        }
