"""Projects in short form, and related objects of projects, as JSON."""

from typing import ClassVar

from rest_framework import serializers

from core6.analytics.models import GroupType
from projects.documentation import FIELDS
from projects.models import ProductIntent, Project


class ProjectBasicSerializer(serializers.ModelSerializer[Project]):
    """A project in short form."""

    class Meta:
        model = Project
        fields = (
            "id",
            "uuid",
            "organization",
            "api_token",
            "name",
            "completed_snippet_onboarding",
            "has_completed_onboarding_for",
            "ingested_event",
            "is_demo",
            "timezone",
            "access_control",
        )
        read_only_fields = fields
        extra_kwargs: ClassVar = {name: {"help_text": FIELDS[name]} for name in fields}


class GroupTypeSerializer(serializers.ModelSerializer[GroupType]):
    """A type of group that events can belong to."""

    class Meta:
        model = GroupType
        fields = (
            "group_type",
            "group_type_index",
            "name_singular",
            "name_plural",
            "default_columns",
            "detail_dashboard",
            "created_at",
        )
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "group_type": {"help_text": "Name of the group type in events."},
            "group_type_index": {"help_text": "Index of the group type, from 0 to 4."},
            "name_singular": {"help_text": "Display name of one group. Null if not set."},
            "name_plural": {"help_text": "Display name of several groups. Null if not set."},
            "default_columns": {"help_text": "Columns of lists of these groups."},
            "detail_dashboard": {"help_text": "ID of the dashboard that is shown with a group."},
            "created_at": {"help_text": "When the group type was created."},
        }


class ProductIntentSerializer(serializers.ModelSerializer[ProductIntent]):
    """A product that the project intends to use."""

    class Meta:
        model = ProductIntent
        fields = ("product_type", "created_at", "onboarding_completed_at", "updated_at")
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "product_type": {"help_text": "Name of the product."},
            "created_at": {"help_text": "When the intent was first recorded."},
            "onboarding_completed_at": {"help_text": "When the onboarding was completed. Null until then."},
            "updated_at": {"help_text": "When the intent was last changed."},
        }
