"""The JSON of peer `a`: ModelSerializers as people write them, of REST framework's own classes alone."""

from datetime import timedelta
from typing import Any

import jwt
from django.conf import settings
from django.utils import timezone
from rest_framework import serializers

from annotations.models import Annotation
from cohorts.calculation.failures import message
from cohorts.models import Cohort
from core6.accounts.models import Membership, User
from core6.analytics.models import Dashboard, GroupType, Insight
from projects.models import ProductIntent, Project
from projects.modifiers import DEFAULTS
from projects.serializers import ProjectSerializer as Ours
from roles.models import Role, RoleMembership


class UserSerializer(serializers.ModelSerializer):
    hedgehog_config = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = (
            *("id", "uuid", "distinct_id", "first_name", "last_name", "email", "is_email_verified"),
            *("hedgehog_config", "role_at_organization"),
        )

    def get_hedgehog_config(self, user: User) -> dict[str, Any] | None:
        config = user.hedgehog_config
        if not config:
            return None
        return {name: config.get(name) for name in ("use_as_profile", "color", "accessories", "skin")}


class AnnotationSerializer(serializers.ModelSerializer):
    dashboard_item = serializers.PrimaryKeyRelatedField(queryset=Insight.objects.all(), required=False, allow_null=True)
    dashboard_id = serializers.PrimaryKeyRelatedField(
        source="dashboard", queryset=Dashboard.objects.all(), required=False, allow_null=True
    )
    dashboard_name = serializers.CharField(source="dashboard.name", read_only=True, allow_null=True)
    insight_short_id = serializers.CharField(source="dashboard_item.short_id", read_only=True, allow_null=True)
    insight_name = serializers.CharField(source="dashboard_item.name", read_only=True, allow_null=True)
    insight_derived_name = serializers.CharField(source="dashboard_item.derived_name", read_only=True, allow_null=True)
    created_by = UserSerializer(read_only=True)

    class Meta:
        model = Annotation
        fields = (
            *("id", "content", "date_marker", "creation_type", "dashboard_item", "dashboard_id", "dashboard_name"),
            *("insight_short_id", "insight_name", "insight_derived_name", "created_by", "created_at", "updated_at"),
            *("deleted", "scope"),
        )
        read_only_fields = ("created_at", "updated_at")


class MemberSerializer(serializers.ModelSerializer):
    user = UserSerializer(read_only=True)
    is_2fa_enabled = serializers.SerializerMethodField()
    has_social_auth = serializers.SerializerMethodField()
    last_login = serializers.DateTimeField(source="user.last_login", read_only=True)

    class Meta:
        model = Membership
        fields = (
            *("id", "user", "level", "joined_at", "updated_at", "is_2fa_enabled", "has_social_auth", "last_login"),
        )

    def get_is_2fa_enabled(self, member: Membership) -> bool:
        return False

    def get_has_social_auth(self, member: Membership) -> bool:
        return False


class RoleMembershipSerializer(serializers.ModelSerializer):
    role_id = serializers.UUIDField(read_only=True)
    organization_member = MemberSerializer(read_only=True)
    user = UserSerializer(source="organization_member.user", read_only=True)

    class Meta:
        model = RoleMembership
        fields = ("id", "role_id", "organization_member", "user", "joined_at", "updated_at")


class RoleSerializer(serializers.ModelSerializer):
    created_by = UserSerializer(read_only=True)
    members = RoleMembershipSerializer(many=True, read_only=True)
    is_default = serializers.SerializerMethodField()

    class Meta:
        model = Role
        fields = ("id", "name", "created_at", "created_by", "members", "is_default")

    def get_is_default(self, role: Role) -> bool:
        return role.organization.default_role_id == role.pk


class CohortSerializer(serializers.ModelSerializer):
    filters = serializers.JSONField(source="criteria", read_only=True)
    created_by = UserSerializer(read_only=True)
    last_error_message = serializers.SerializerMethodField()
    experiment_set = serializers.ListField(source="experiment_ids", read_only=True)
    _create_in_folder = serializers.CharField(source="folder")
    _create_static_person_ids = serializers.SerializerMethodField()

    class Meta:
        model = Cohort
        fields = (
            *("id", "name", "description", "groups", "deleted", "filters", "query", "version", "pending_version"),
            *("is_calculating", "created_by", "created_at", "last_calculation", "errors_calculating"),
            *("last_error_message", "count", "is_static", "cohort_type", "experiment_set", "_create_in_folder"),
            "_create_static_person_ids",
        )

    def get_last_error_message(self, cohort: Any) -> str | None:
        return message(cohort.error_code)

    def get__create_static_person_ids(self, cohort: Cohort) -> list[str]:
        return []


class GroupTypeSerializer(serializers.ModelSerializer):
    class Meta:
        model = GroupType
        fields = (
            *("group_type", "group_type_index", "name_singular", "name_plural", "default_columns"),
            *("detail_dashboard", "created_at"),
        )


class ProductIntentSerializer(serializers.ModelSerializer):
    class Meta:
        model = ProductIntent
        fields = ("product_type", "created_at", "onboarding_completed_at", "updated_at")


class ProjectSerializer(serializers.ModelSerializer):
    effective_membership_level = serializers.SerializerMethodField()
    has_group_types = serializers.SerializerMethodField()
    group_types = serializers.SerializerMethodField()
    live_events_token = serializers.SerializerMethodField()
    person_on_events_querying_enabled = serializers.SerializerMethodField()
    default_modifiers = serializers.SerializerMethodField()
    product_intents = ProductIntentSerializer(many=True, read_only=True)

    class Meta:
        model = Project
        fields = Ours.Meta.fields  # the names of 62 fields, nothing else

    def get_effective_membership_level(self, project: Project) -> int:
        level: int = self.context["view"].membership.level
        return level

    def get_group_types(self, project: Any) -> Any:
        if not hasattr(project, "known_group_types"):
            rows = GroupType.objects.filter(project=project).order_by("group_type_index")
            project.known_group_types = GroupTypeSerializer(rows, many=True).data
        return project.known_group_types

    def get_has_group_types(self, project: Project) -> bool:
        return bool(self.get_group_types(project))

    def get_live_events_token(self, project: Project) -> str:
        claims = {
            "team_id": project.pk,
            "api_token": project.api_token,
            "user_id": self.context["request"].user.pk,
            "organization_id": str(project.organization_id),
            "aud": "posthog:livestream",
            "exp": timezone.now() + timedelta(days=7),
        }
        return jwt.encode(claims, settings.SECRET_KEY, algorithm="HS256")

    def get_person_on_events_querying_enabled(self, project: Project) -> bool:
        return bool(DEFAULTS["personsOnEventsMode"] != "disabled")

    def get_default_modifiers(self, project: Project) -> dict[str, Any]:
        return DEFAULTS
