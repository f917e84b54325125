"""The caller, the organizations of the caller and the key as JSON."""

from typing import Any, ClassVar

from django.utils.text import slugify
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core6.accounts.models import Organization, PersonalAPIKey, User
from core6.api.ids import CURRENT
from core6.api.serializers import UserBasicSerializer
from core6.api.tenants import organizations_of
from projects.related import ProjectBasicSerializer
from projects.scoping import projects_of


class OrganizationBasicSerializer(serializers.ModelSerializer[Organization]):
    """An organization of the caller in short form."""

    membership_level = serializers.IntegerField(
        source="caller_level",
        read_only=True,
        help_text="Access level of the caller: 1 member, 8 administrator, 15 owner.",
    )
    slug = serializers.SerializerMethodField(help_text="Name of the organization in a form for URLs. Not unique.")

    class Meta:
        model = Organization
        fields = ("id", "name", "slug", "membership_level")
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "id": {"help_text": "ID of the organization."},
            "name": {"help_text": "Name of the organization."},
        }

    def get_slug(self, organization: Organization) -> str:
        return slugify(organization.name)


class OrganizationSerializer(OrganizationBasicSerializer):
    """An organization of the caller with its projects."""

    member_count = serializers.IntegerField(read_only=True, help_text="Number of members of the organization.")
    default_role_id = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="ID of the role of new members. Null if there is none."
    )
    teams = ProjectBasicSerializer(source="projects", many=True, read_only=True, help_text="The same as `projects`.")
    projects = ProjectBasicSerializer(
        many=True, read_only=True, help_text="Projects of the organization, oldest first."
    )

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
            "created_at": {"help_text": "When the organization was created."},
        }


class UserSerializer(UserBasicSerializer):
    """The caller with the current project, the current organization and all organizations."""

    date_joined = serializers.DateTimeField(source="created_at", read_only=True, help_text="When the user was created.")
    team = serializers.SerializerMethodField(
        help_text="The current project, which is `@current` in URLs. Null if there is none."
    )
    organization = serializers.SerializerMethodField(
        help_text="The current organization, which is `@current` in URLs. Null if there is none."
    )
    organizations = serializers.SerializerMethodField(help_text="All organizations of the caller.")

    class Meta:
        model = User
        fields = (
            *("date_joined", *UserBasicSerializer.Meta.fields),
            *("is_staff", "team", "organization", "organizations"),
        )
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            **UserBasicSerializer.Meta.extra_kwargs,
            "is_staff": {"help_text": "Whether the user may use the admin console."},
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
    """A personal API key without its secret value."""

    user_id = serializers.IntegerField(read_only=True, help_text="ID of the user who owns the key.")

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
            "id": {"help_text": "ID of the key."},
            "label": {"help_text": "Label of the key."},
            "mask_value": {"help_text": "First and last characters of the key."},
            "created_at": {"help_text": "When the key was created."},
            "last_used_at": {"help_text": "When the key was last used, to within an hour. Null if never."},
            "scopes": {
                "help_text": "Scopes of the key, such as `annotation:read`. `*` means all. Null or empty means none."
            },
            "scoped_teams": {
                "allow_null": False,
                "help_text": "IDs of the only projects that the key can access. Empty means all.",
            },
            "scoped_organizations": {
                "allow_null": False,
                "help_text": "IDs of the only organizations that the key can access. Empty means all.",
            },
        }

    def to_representation(self, instance: PersonalAPIKey) -> dict[str, Any]:
        """Show no restriction as an empty list, since `@posthog/agent-toolkit` does not accept null."""
        shown = super().to_representation(instance)
        return {**shown, **{name: shown[name] or [] for name in ("scoped_teams", "scoped_organizations")}}
