"""Roles and their memberships as JSON (contract D.1, D.5)."""

from typing import Any, ClassVar

from rest_framework import serializers

from core6.accounts.models import Membership
from core6.api.number_fields import UUIDField
from core6.api.serializers import ModelSerializer, OrganizationMemberSerializer, UserBasicSerializer
from roles.models import Role, RoleMembership


class RoleMembershipSerializer(ModelSerializer[RoleMembership]):
    """Puts a member, named by the uuid of the user, into the role of the URL."""

    role_id = serializers.UUIDField(read_only=True, help_text="The role.")
    organization_member = OrganizationMemberSerializer(read_only=True, help_text="Who is in the role.")
    user = UserBasicSerializer(source="organization_member.user", read_only=True, help_text="The same as a user.")
    user_uuid = UUIDField(write_only=True, help_text="The user to add: an active member.")

    class Meta:
        model = RoleMembership
        fields = ("id", "role_id", "organization_member", "user", "joined_at", "updated_at", "user_uuid")
        read_only_fields = ("id", "joined_at", "updated_at")
        extra_kwargs: ClassVar = {
            "id": {"help_text": "The id of the membership of the role."},
            "joined_at": {"help_text": "When the member came into the role."},
            "updated_at": {"help_text": "When this was changed last."},
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        organization = self.context["view"].tenant.organization
        members = Membership.objects.select_related("user").filter(organization=organization, user__is_active=True)
        member = members.filter(user__uuid=attrs["user_uuid"]).first()
        if member is None:
            raise serializers.ValidationError("User does not exist.")
        return {"organization_member": member}


class RoleSerializer(ModelSerializer[Role]):
    """Reads and writes a role; only its name can be written."""

    created_by = UserBasicSerializer(read_only=True, allow_null=True, help_text="Who made it; null when unknown.")
    members = RoleMembershipSerializer(many=True, read_only=True, help_text="Who is in the role, in joining order.")
    is_default = serializers.BooleanField(read_only=True, help_text="Whether it is the organization's default role.")

    class Meta:
        model = Role
        fields = ("id", "name", "created_at", "created_by", "members", "is_default")
        read_only_fields = ("id", "created_at")
        extra_kwargs: ClassVar = {
            "id": {"help_text": "The id by which addresses name the role."},
            "name": {"help_text": "Unique in the organization, whatever its case."},
            "created_at": {"help_text": "When it was made."},
        }
