"""The caller's own things as JSON: the user, the organizations, the key."""

from typing import Any, ClassVar

from django.utils.text import slugify
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core6.accounts.models import Organization, PersonalAPIKey, User
from core6.api.ids import CURRENT
from core6.api.scoping import organizations_of
from core6.api.serializers import UserBasicSerializer
from projects.scoping import projects_of
from projects.serializers import ProjectBasicSerializer


class OrganizationBasicSerializer(serializers.ModelSerializer[Organization]):
    """An organization in a list of a user's."""

    membership_level = serializers.IntegerField(
        source="caller_level", read_only=True, help_text="1 member, 8 administrator, 15 owner."
    )
    slug = serializers.SerializerMethodField(help_text="The name as addresses may hold it; not unique.")

    class Meta:
        model = Organization
        fields = ("id", "name", "slug", "membership_level")
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "id": {"help_text": "The id by which addresses name the organization."},
            "name": {"help_text": "What people call it."},
        }

    def get_slug(self, organization: Organization) -> str:
        return slugify(organization.name)


class OrganizationSerializer(OrganizationBasicSerializer):
    """An organization that the caller belongs to, with its projects."""

    member_count = serializers.IntegerField(read_only=True, help_text="How many members it has.")
    default_role_id = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="The role that new members get; null is none."
    )
    teams = ProjectBasicSerializer(source="projects", many=True, read_only=True, help_text="As `projects`.")
    projects = ProjectBasicSerializer(many=True, read_only=True, help_text="Its projects, oldest first.")

    class Meta:
        model = Organization
        fields = (
            "id",
            "name",
            "slug",
            "created_at",
            "membership_level",
            "member_count",
            "default_role_id",
            "teams",
            "projects",
        )
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            **OrganizationBasicSerializer.Meta.extra_kwargs,
            "created_at": {"help_text": "When it was made."},
        }


class UserSerializer(UserBasicSerializer):
    """The caller: where `@current` leads, and every organization."""

    date_joined = serializers.DateTimeField(source="created_at", read_only=True, help_text="When the account was made.")
    team = serializers.SerializerMethodField(help_text="The project that `@current` means; null without one.")
    organization = serializers.SerializerMethodField(help_text="The organization that `@current` means.")
    organizations = serializers.SerializerMethodField(help_text="Every organization that the caller belongs to.")

    class Meta:
        model = User
        fields = (
            *("date_joined", *UserBasicSerializer.Meta.fields),
            *("is_staff", "team", "organization", "organizations"),
        )
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            **UserBasicSerializer.Meta.extra_kwargs,
            "is_staff": {"help_text": "Whether the user may use the console."},
        }

    @extend_schema_field(ProjectBasicSerializer(allow_null=True))
    def get_team(self, user: User) -> Any:
        project = projects_of(user, CURRENT).first()
        return ProjectBasicSerializer(project).data if project else None

    @extend_schema_field(OrganizationBasicSerializer(allow_null=True))
    def get_organization(self, user: User) -> Any:
        organization = organizations_of(user, CURRENT).first()
        return OrganizationBasicSerializer(organization).data if organization else None

    @extend_schema_field(OrganizationBasicSerializer(many=True))
    def get_organizations(self, user: User) -> Any:
        return OrganizationBasicSerializer(organizations_of(user, CURRENT), many=True).data


class PersonalAPIKeySerializer(serializers.ModelSerializer[PersonalAPIKey]):
    """A personal API key and what it may do; its value was shown when it was made, and never again."""

    user_id = serializers.IntegerField(read_only=True, help_text="Whose key it is.")

    class Meta:
        model = PersonalAPIKey
        fields = (
            "id",
            "label",
            "mask_value",
            "created_at",
            "last_used_at",
            "user_id",
            "scopes",
            "scoped_teams",
            "scoped_organizations",
        )
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "id": {"help_text": "The id of the key."},
            "label": {"help_text": "What its owner calls it."},
            "mask_value": {"help_text": "Its first and last characters."},
            "created_at": {"help_text": "When it was made."},
            "last_used_at": {"help_text": "When it was used last, within an hour; null is never."},
            "scopes": {"help_text": "What it may do: `annotation:read`, …; `*` is everything."},
            "scoped_teams": {"help_text": "The projects that it is restricted to. Empty if there is no restriction."},
            "scoped_organizations": {
                "help_text": "The organizations that it is restricted to. Empty if there is no restriction."
            },
        }

    def to_representation(self, instance: PersonalAPIKey) -> dict[str, Any]:
        """Show no restriction as an empty list, which is all that `@posthog/agent-toolkit` reads."""
        shown = super().to_representation(instance)
        return {**shown, **{name: shown[name] or [] for name in ("scoped_teams", "scoped_organizations")}}
