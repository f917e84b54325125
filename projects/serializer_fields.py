"""Serializer fields of projects with custom validation or representation."""

import importlib.resources
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import jwt
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from core6.accounts.models import Level
from core6.analytics.models import Dashboard
from core6.api.compiled_fields import FromColumns
from core6.api.number_fields import DecimalField, PrimaryKeyRelatedField
from core6.api.repeatable import repeatable
from core6.api.serializers import JSONField
from core6.security.encryption import signing_key
from projects import settings_rules
from projects.modifiers import DEFAULTS

_TOKEN_DAYS = 7
#: Additional options of fields.
RULES: Final[Mapping[str, dict[str, Any]]] = {
    "name": {"required": False},
    "session_recording_sample_rate": {"min_value": 0, "max_value": 1},
    "session_recording_minimum_duration_milliseconds": {"min_value": 0, "max_value": 30000},
    "session_recording_linked_flag": {"validators": [settings_rules.check_linked_flag]},
    "session_recording_network_payload_capture_config": {"validators": [settings_rules.check_network_payload]},
    "session_recording_masking_config": {"validators": [settings_rules.check_masking]},
    "session_replay_config": {"validators": [settings_rules.check_replay_config]},
    "survey_config": {"validators": [settings_rules.check_dictionary]},
    "modifiers": {"validators": [settings_rules.check_modifiers]},
    "conversations_settings": {"validators": [settings_rules.check_dictionary]},
    "logs_settings": {"validators": [settings_rules.check_dictionary]},
}


@extend_schema_field({"type": "object", "additionalProperties": {}})
class ObjectField(JSONField):
    """A JSON object."""


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class TextsField(JSONField):
    """A JSON list of strings."""


@extend_schema_field({"type": "string", "format": "decimal", "pattern": r"^(?:0|0?\.[0-9]{1,2}|0\.|1|1\.0{0,2})$"})
class ShareField(DecimalField):
    """A number from 0 to 1, as text."""


#: Field classes with a more exact schema than the default for the column.
FIELD_CLASSES: Final[Mapping[str, type[serializers.Field[Any, Any, Any, Any]]]] = {
    "autocapture_exceptions_errors_to_ignore": TextsField,
    "session_recording_sample_rate": ShareField,
    **dict.fromkeys(
        """
        session_recording_linked_flag session_recording_network_payload_capture_config
        session_recording_masking_config session_replay_config survey_config modifiers conversations_settings
        logs_settings
        """.split(),
        ObjectField,
    ),
}
#: The time zones of the package tzdata, the same on every machine.
TIMEZONES = sorted(
    set(importlib.resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()) - {"Factory"}
)


class DashboardField(PrimaryKeyRelatedField[Dashboard]):
    """The id of a dashboard of this project that is not deleted; ids of other organizations are unknown."""

    def get_queryset(self) -> QuerySet[Dashboard]:
        project = self.parent.instance
        return Dashboard.objects.filter(project__organization=project and project.organization_id, deleted=False)

    def to_internal_value(self, data: Any) -> Dashboard:
        project = self.parent.instance
        if project is None:
            raise ValidationError("Primary dashboard cannot be set on project creation.")
        dashboard: Dashboard = super().to_internal_value(data)
        if dashboard.project_id != project.pk:
            raise ValidationError("Dashboard does not belong to this team.")
        return dashboard


class HostsField(serializers.ListField):
    """A list of URLs; null and empty ones are removed."""

    child = serializers.CharField(max_length=200, allow_null=True, allow_blank=True)

    def to_internal_value(self, data: Any) -> list[str]:
        return [address for address in super().to_internal_value(data) if address]


@extend_schema_field(serializers.ChoiceField(choices=Level.choices, allow_null=True))
class CallerLevelField(FromColumns, serializers.ReadOnlyField):
    """The level of the caller in the organization of the project."""

    @repeatable
    def from_columns(self, context: Mapping[str, Any]) -> int | None:
        level: int | None = context["level"]
        return level


class LiveEventsTokenField(FromColumns, serializers.CharField):
    """A JWT, new in each response."""

    columns = ("pk", "api_token", "organization_id")

    def from_columns(self, context: Mapping[str, Any], key: int, api_token: str, organization: uuid.UUID) -> str:
        user = context["user"]
        claims = {
            "team_id": key,
            "api_token": api_token,
            "user_id": user and user.pk,
            "organization_id": str(organization),
            "aud": "posthog:livestream",
            "exp": timezone.now() + timedelta(days=_TOKEN_DAYS),
        }
        return jwt.encode(claims, signing_key("live_events"), algorithm="HS256")


class PersonsOnEventsField(FromColumns, serializers.BooleanField):
    """Whether the default modifier reads persons with events."""

    @repeatable
    def from_columns(self, context: Mapping[str, Any]) -> bool:
        return bool(DEFAULTS["personsOnEventsMode"] != "disabled")


class DefaultModifiersField(FromColumns, ObjectField):
    """The default modifiers."""

    @repeatable
    def from_columns(self, context: Mapping[str, Any]) -> dict[str, Any]:
        return DEFAULTS
