"""A project as JSON: the page's 62 fields in its order, and the short form of lists (contract/projects.md 2, 3.2)."""

import importlib.resources
import json
import uuid
from collections.abc import Collection, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final

import jwt
from django.contrib.postgres.fields import ArrayField
from django.db.models import JSONField as JSONColumn
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError

from core6 import jobs
from core6.accounts.models import Level
from core6.analytics.models import Dashboard, GroupType
from core6.api.compiled_serializers import FromColumns
from core6.api.number_fields import DecimalField, PrimaryKeyRelatedField
from core6.api.repeatable import repeatable
from core6.api.serializers import JSONField, ModelSerializer
from core6.security.encryption import signing_key
from projects import demo, settings_rules
from projects.activity import change, log_updated
from projects.documentation import FIELDS
from projects.models import ProductIntent, Project
from projects.modifiers import DEFAULTS
from projects.onboarding import OnboardingSerializer

_TOKEN_DAYS = 7
#: By what the cohorts of the project read dates (D58).
_DATING: Final = {"timezone", "week_start_day"}
LEVEL_TOO_LOW: Final = "You don't have sufficient permissions in the project."
#: What fields take beside what their columns say.
_RULES: Final[Mapping[str, dict[str, Any]]] = {
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
    """A JSON list of texts."""


@extend_schema_field({"type": "string", "format": "decimal", "pattern": r"^(?:0|0?\.[0-9]{1,2}|0\.|1|1\.0{0,2})$"})
class ShareField(DecimalField):
    """A number from 0 to 1, as text."""


#: Fields that are told of more exactly than their columns are.
_FIELDS: Final[Mapping[str, type[serializers.Field[Any, Any, Any, Any]]]] = {
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
#: The names of the zones that Python's own data knows, the same on every machine.
TIMEZONES = sorted(
    set(importlib.resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()) - {"Factory"}
)


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


class DashboardField(PrimaryKeyRelatedField[Dashboard]):
    """The id of a live dashboard of this project; those of other organizations do not exist."""

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
    """A list of addresses; null and empty ones are dropped."""

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
    """A JWT, made anew for each answer."""

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
    """Whether persons are read with events where no modifier is set."""

    @repeatable
    def from_columns(self, context: Mapping[str, Any]) -> bool:
        return bool(DEFAULTS["personsOnEventsMode"] != "disabled")


class DefaultModifiersField(FromColumns, ObjectField):
    """The modifiers where none is set."""

    @repeatable
    def from_columns(self, context: Mapping[str, Any]) -> dict[str, Any]:
        return DEFAULTS


@extend_schema_serializer(component_name="ProjectBackwardCompat")
class ProjectSerializer(ModelSerializer[Project]):
    """A project with its settings."""

    # The context holds the caller's `level`, and the `user` who acts, if any.

    largest: ClassVar = {
        field.name: 256 * 1024 for field in Project._meta.fields if isinstance(field, ArrayField | JSONColumn)
    }
    effective_membership_level = CallerLevelField(help_text=FIELDS["effective_membership_level"])
    has_group_types = serializers.BooleanField(read_only=True, help_text=FIELDS["has_group_types"])
    group_types = GroupTypeSerializer(many=True, read_only=True, help_text=FIELDS["group_types"])
    live_events_token = LiveEventsTokenField(read_only=True, allow_null=True, help_text=FIELDS["live_events_token"])
    app_urls = HostsField(required=False, help_text=FIELDS["app_urls"])
    timezone = serializers.ChoiceField(choices=TIMEZONES, required=False, help_text=FIELDS["timezone"])
    primary_dashboard = DashboardField(
        queryset=Dashboard.objects.none(), required=False, allow_null=True, help_text=FIELDS["primary_dashboard"]
    )
    recording_domains = HostsField(required=False, allow_null=True, help_text=FIELDS["recording_domains"])
    person_on_events_querying_enabled = PersonsOnEventsField(
        read_only=True, help_text=FIELDS["person_on_events_querying_enabled"]
    )
    default_modifiers = DefaultModifiersField(read_only=True, help_text=FIELDS["default_modifiers"])
    product_intents = ProductIntentSerializer(many=True, read_only=True, help_text=FIELDS["product_intents"])

    class Meta:
        model = Project
        fields = (
            "id",
            "organization",
            "name",
            "product_description",
            "created_at",
            "effective_membership_level",
            "has_group_types",
            "group_types",
            "live_events_token",
            "updated_at",
            "uuid",
            "api_token",
            "app_urls",
            "slack_incoming_webhook",
            "anonymize_ips",
            "completed_snippet_onboarding",
            "ingested_event",
            "test_account_filters",
            "test_account_filters_default_checked",
            "path_cleaning_filters",
            "is_demo",
            "timezone",
            "data_attributes",
            "person_display_name_properties",
            "correlation_config",
            "autocapture_opt_out",
            "autocapture_exceptions_opt_in",
            "autocapture_web_vitals_opt_in",
            "autocapture_web_vitals_allowed_metrics",
            "autocapture_exceptions_errors_to_ignore",
            "capture_console_log_opt_in",
            "capture_performance_opt_in",
            "session_recording_opt_in",
            "session_recording_sample_rate",
            "session_recording_minimum_duration_milliseconds",
            "session_recording_linked_flag",
            "session_recording_network_payload_capture_config",
            "session_recording_masking_config",
            "session_replay_config",
            "survey_config",
            "access_control",
            "week_start_day",
            "primary_dashboard",
            "live_events_columns",
            "recording_domains",
            "person_on_events_querying_enabled",
            "inject_web_apps",
            "extra_settings",
            "modifiers",
            "default_modifiers",
            "has_completed_onboarding_for",
            "surveys_opt_in",
            "heatmaps_opt_in",
            "product_intents",
            "flags_persistence_default",
            "secret_api_token",
            "secret_api_token_backup",
            "receive_org_level_activity_logs",
            "business_model",
            "conversations_enabled",
            "conversations_settings",
            "logs_settings",
        )
        read_only_fields = (
            *("id", "organization", "created_at", "updated_at", "uuid", "api_token", "ingested_event"),
            *("secret_api_token", "secret_api_token_backup"),
        )
        volatile = ("live_events_token",)
        extra_kwargs: ClassVar = {name: {"help_text": text, **_RULES.get(name, {})} for name, text in FIELDS.items()}

    @repeatable
    def build_standard_field(self, field_name: str, model_field: Any) -> tuple[type[Any], dict[str, Any]]:
        field, options = super().build_standard_field(field_name, model_field)
        return _FIELDS.get(field_name, field), options

    def to_internal_value(self, data: Any) -> Any:
        """Leave out what a client sends back as it read it, which stays valid whatever the rules say (D31)."""
        if self.instance is not None and isinstance(data, Mapping):
            echoed = [name for name in data if self._is_echoed(name, data)]
            data = _without(data, echoed)
        return super().to_internal_value(data)

    def _is_echoed(self, name: str, data: Any) -> bool:
        field = self.fields.get(name)
        if field is None or field.read_only:
            return False
        value = field.get_value(data)
        if getattr(value, "is_json_string", False):  # how REST framework marks the text of a JSON field in a form
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return False
        stored = field.get_attribute(self.instance)
        return is_same(None if stored is None else field.to_representation(stored), value)

    def validate_slack_incoming_webhook(self, value: str | None) -> str | None:
        if value:
            settings_rules.check_webhook(value)
        return value or None

    def validate_access_control(self, value: bool) -> bool:
        if value != (self.instance.access_control if self.instance else False):
            raise ValidationError(
                "The access_control field has been deprecated, see https://posthog.com/docs/settings/access-control."
            )
        return value

    def validate_is_demo(self, value: bool) -> bool:
        """Refuse a change by who could not have made the project otherwise (D71)."""
        is_changed = self.instance is not None and value != self.instance.is_demo
        if is_changed and self.context["level"] < Level.ADMIN:
            raise PermissionDenied(LEVEL_TOO_LOW)
        return value

    def validate_receive_org_level_activity_logs(self, value: bool | None) -> bool | None:
        is_changed = self.instance is not None and value != self.instance.receive_org_level_activity_logs
        if is_changed and self.context["level"] < Level.ADMIN:
            raise PermissionDenied(
                "Only organization owners and admins can modify the receive_org_level_activity_logs setting."
            )
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "autocapture_exceptions_errors_to_ignore" in attrs:
            settings_rules.check_errors_to_ignore(attrs["autocapture_exceptions_errors_to_ignore"])
        return settings_rules.merge(self.instance or Project(), attrs, timezone.now())

    def update(self, instance: Project, validated_data: dict[str, Any]) -> Project:
        """Save and log what differs from the stored project; when nothing does, nothing is written."""
        changed = {name: value for name, value in validated_data.items() if not is_same(getattr(instance, name), value)}
        if changed:
            entries = [change(*_plain(name, getattr(instance, name), value)) for name, value in changed.items()]
            super().update(instance, changed)
            log_updated(instance, self.context["user"], entries)
            if changed.keys() & _DATING:
                # By its name: cohorts stand above projects.
                task = "cohorts.tasks.calculate_dated_cohorts"
                jobs.enqueue(task, lock=f"dates:{instance.pk}", is_once=True, project_id=instance.pk)
        return instance


#: The names of the fields that can be written.
WRITABLE = frozenset(name for name, field in ProjectSerializer().fields.items() if not field.read_only)


@extend_schema_serializer(component_name="ProjectDemoData")
class ProjectDemoDataSerializer(ProjectSerializer):
    """A project, and whether demo data is still being generated for it."""

    is_generating_demo_data = serializers.SerializerMethodField(
        help_text="Whether demo data is still being generated for the project."
    )

    class Meta(ProjectSerializer.Meta):
        fields = (*ProjectSerializer.Meta.fields, "is_generating_demo_data")  # type: ignore[assignment]  # one more

    def get_is_generating_demo_data(self, project: Project) -> bool:
        return demo.is_generating(project.pk)


@extend_schema_serializer(component_name="CompleteProductOnboarding")
class CompleteOnboardingSerializer(OnboardingSerializer, ProjectSerializer):
    """A product whose onboarding is complete, and fields of the project."""

    class Meta(ProjectSerializer.Meta):
        fields = (*ProjectSerializer.Meta.fields, "product_type", "intent_context", "metadata")  # type: ignore[assignment]  # three more


def _without(data: Mapping[str, Any], names: Collection[str]) -> Mapping[str, Any]:
    """Return a body, a dict or a form, without some fields; the files of a form cannot be copied."""
    if not isinstance(data, QueryDict):
        return {name: value for name, value in data.items() if name not in names}
    rest = QueryDict(mutable=True)
    for name, values in data.lists():
        if name not in names:
            rest.setlist(name, values)
    return rest


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same as JSON, where true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _plain(name: str, before: Any, after: Any) -> tuple[str, Any, Any]:
    """Return a change as it is told: dashboards by id, shares as text without needless zeros, tokens masked."""
    if name == "primary_dashboard":
        return "primary_dashboard_id", before and before.pk, after and after.pk
    if name == "session_recording_sample_rate":
        return name, _share(before), _share(after)
    if name == "conversations_settings":
        return name, settings_rules.without_token(before), settings_rules.without_token(after)
    return name, before, after


def _share(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"
