"""The activity rows as the API shows them."""

from typing import Any, ClassVar

from rest_framework import serializers

from core6.accounts.models import User
from core6.activity.models import ActivityLog


class ActivityUserSerializer(serializers.ModelSerializer[User]):
    """Who made a change."""

    class Meta:
        model = User
        fields = ("first_name", "email")
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "first_name": {"help_text": "The first name."},
            "email": {"help_text": "The address that the user logs in with."},
        }


class ActivityLogSerializer(serializers.ModelSerializer[ActivityLog]):
    """One change: who, what, when, and in `detail` the fields before and after."""

    user = ActivityUserSerializer(read_only=True, allow_null=True, help_text="Who; null when unknown.")
    detail = serializers.SerializerMethodField(help_text="`changes`, `name`, `short_id`, `trigger`, `type` and more.")

    class Meta:
        model = ActivityLog
        fields = ("id", "user", "activity", "scope", "item_id", "detail", "created_at")
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "id": {"help_text": "The id of this row."},
            "item_id": {"help_text": "The id of what was changed."},
            "created_at": {"help_text": "When."},
        }

    def get_detail(self, row: ActivityLog) -> dict[str, Any]:
        return {"changes": None, "name": None, "short_id": None, "trigger": None, "type": None, **row.detail}
