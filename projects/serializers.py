"""A project as JSON: the 62 fields of the public API's page in its order."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.db.models import JSONField as JSONColumn
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError

from core6 import jobs
from core6.accounts.models import Level
from core6.analytics.models import Dashboard
from core6.api.echo import is_same, without_echoes
from core6.api.repeatable import repeatable
from core6.api.serializers import ModelSerializer
from core6.database import timestamps
from projects import demo, settings_rules
from projects.activity import change, log_updated
from projects.documentation import FIELDS
from projects.models import Project
from projects.onboarding import OnboardingSerializer
from projects.related import GroupTypeSerializer, ProductIntentSerializer
from projects.serializer_fields import (
    FIELD_CLASSES,
    RULES,
    TIMEZONES,
    CallerLevelField,
    DashboardField,
    DefaultModifiersField,
    HostsField,
    LiveEventsTokenField,
    PersonsOnEventsField,
)

#: The fields that determine how cohorts of the project interpret dates (D58).
_DATE_SETTINGS: Final = {"timezone", "week_start_day"}
LEVEL_TOO_LOW: Final = "You don't have sufficient permissions in the project."


@extend_schema_serializer(component_name="ProjectBackwardCompat")
class ProjectSerializer(ModelSerializer[Project]):
    """A project with its settings."""

    # The context has the `level` of the caller, and the acting `user`, if any.

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
        extra_kwargs: ClassVar = {name: {"help_text": text, **RULES.get(name, {})} for name, text in FIELDS.items()}

    @repeatable
    def build_standard_field(self, field_name: str, model_field: Any) -> tuple[type[Any], dict[str, Any]]:
        field, options = super().build_standard_field(field_name, model_field)
        return FIELD_CLASSES.get(field_name, field), options

    def to_internal_value(self, data: Any) -> Any:
        """Drop unchanged values that a client sends back, which stay valid even if the rules changed (D31)."""
        if self.instance is not None and isinstance(data, Mapping):
            data = without_echoes(self, data)
        return super().to_internal_value(data)

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
        """Refuse a change by a caller who could not have created the project that way (D71)."""
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
        return settings_rules.merge(self.instance or Project(), attrs, timestamps.now())

    def update(self, instance: Project, validated_data: dict[str, Any]) -> Project:
        """Save and log the fields that differ from the stored project; write nothing if none differs."""
        changed = {name: value for name, value in validated_data.items() if not is_same(getattr(instance, name), value)}
        if changed:
            entries = [change(*_plain(name, getattr(instance, name), value)) for name, value in changed.items()]
            super().update(instance, changed)
            log_updated(instance, self.context["user"], entries)
            if changed.keys() & _DATE_SETTINGS:
                # By name, since the package `cohorts` depends on this one.
                task = "cohorts.tasks.calculate_dated_cohorts"
                jobs.enqueue(task, lock=f"dates:{instance.pk}", is_unique=True, project_id=instance.pk)
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


def _plain(name: str, before: Any, after: Any) -> tuple[str, Any, Any]:
    """Return a change for the log: dashboards by id, decimals without trailing zeros, tokens masked."""
    if name == "primary_dashboard":
        return "primary_dashboard_id", before and before.pk, after and after.pk
    if name == "session_recording_sample_rate":
        return name, _share(before), _share(after)
    if name == "conversations_settings":
        return name, settings_rules.without_token(before), settings_rules.without_token(after)
    return name, before, after


def _share(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"
