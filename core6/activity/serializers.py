"""The activity log as JSON."""

from typing import Any, ClassVar

from rest_framework import serializers

from core6.accounts.models import User
from core6.activity.models import ActivityLog


class ActivityUserSerializer(serializers.ModelSerializer[User]):
    """The user who made a change."""

    class Meta:
        model = User
        fields = ("first_name", "email")
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "first_name": {"help_text": "First name of the user. May be empty."},
            "email": {"help_text": "Email address of the user."},
        }


class ActivityLogSerializer(serializers.ModelSerializer[ActivityLog]):
    """An entry of the activity log: one change of one object."""

    user = ActivityUserSerializer(
        read_only=True, allow_null=True, help_text="The user who made the change. Null if unknown or deleted."
    )
    detail = serializers.SerializerMethodField(
        help_text="Details of the change. `changes` lists the changed fields with their values before and after."
    )

    class Meta:
        model = ActivityLog
        fields = ("id", "user", "activity", "scope", "item_id", "detail", "created_at")
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "id": {"help_text": "ID of the entry."},
            "activity": {"help_text": "Kind of change, such as `created`, `updated` or `deleted`."},
            "scope": {"help_text": "Type of the changed object, such as `Annotation` or `Team` (a project)."},
            "item_id": {"help_text": "ID of the changed object."},
            "created_at": {"help_text": "When the change was made."},
        }

    def get_detail(self, row: ActivityLog) -> dict[str, Any]:
        return {"changes": None, "name": None, "short_id": None, "trigger": None, "type": None, **row.detail}
