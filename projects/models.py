"""Projects, which annotations and cohorts belong to, with their settings."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from core6.accounts.ids import uuid7
from core6.accounts.models import Organization
from core6.database import timestamps
from core6.security.encryption import EncryptedField
from projects.token_formats import api_token


def data_attributes() -> list[str]:
    """Return the default attributes that identify elements of a page."""
    return ["data-attr"]


def extra_settings() -> dict[str, str]:
    """Return the extra settings of a new project."""
    return {"recorder_script": "posthog-recorder"}


def optional(field: Callable[..., Any], **options: Any) -> Any:
    """Return a field of a setting that is null by default."""
    return field(null=True, blank=True, **options)


def flag(*, default: bool) -> Any:
    """Return a boolean field with a database default, for older releases that do not know the column."""
    return models.BooleanField(default=default, db_default=default)


class Project(models.Model):
    """A project of an organization. The settings are in the order of the public API's page."""

    class BusinessModel(models.TextChoices):
        B2B = "b2b", "B2B"
        B2C = "b2c", "B2C"
        OTHER = "other", "Other"

    class WeekStartDay(models.IntegerChoices):
        SUNDAY = 0
        MONDAY = 1

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="projects")
    name = models.CharField(max_length=200, default="Default project")
    product_description = optional(models.CharField, max_length=1000)
    created_at = models.DateTimeField(default=timestamps.now, editable=False)
    updated_at = timestamps.ChangedAtField()
    api_token = models.CharField(max_length=200, unique=True, default=api_token)

    app_urls = ArrayField(models.CharField(max_length=200), default=list, db_default=[], blank=True)
    slack_incoming_webhook = optional(models.CharField, max_length=500)
    anonymize_ips = flag(default=False)
    completed_snippet_onboarding = flag(default=False)
    ingested_event = flag(default=False)
    test_account_filters = models.JSONField(default=list, db_default=models.Value([], models.JSONField()), blank=True)
    test_account_filters_default_checked = optional(models.BooleanField)
    path_cleaning_filters = optional(models.JSONField, default=list)
    is_demo = flag(default=False)
    timezone = models.CharField(max_length=240, default="UTC")
    data_attributes = models.JSONField(
        default=data_attributes, db_default=models.Value(["data-attr"], models.JSONField()), blank=True
    )
    person_display_name_properties = ArrayField(models.CharField(max_length=400), null=True, blank=True)
    correlation_config = optional(models.JSONField, default=dict)
    autocapture_opt_out = optional(models.BooleanField)
    autocapture_exceptions_opt_in = optional(models.BooleanField)
    autocapture_web_vitals_opt_in = optional(models.BooleanField)
    autocapture_web_vitals_allowed_metrics = optional(models.JSONField)
    autocapture_exceptions_errors_to_ignore = optional(models.JSONField)
    capture_console_log_opt_in = optional(models.BooleanField, default=True)
    capture_performance_opt_in = optional(models.BooleanField, default=True)
    session_recording_opt_in = flag(default=False)
    session_recording_sample_rate = optional(models.DecimalField, max_digits=3, decimal_places=2)
    session_recording_minimum_duration_milliseconds = optional(models.IntegerField)
    session_recording_linked_flag = optional(models.JSONField)
    session_recording_network_payload_capture_config = optional(models.JSONField)
    session_recording_masking_config = optional(models.JSONField)
    session_replay_config = optional(models.JSONField)
    survey_config = optional(models.JSONField)
    access_control = flag(default=False)
    week_start_day = optional(models.SmallIntegerField, choices=WeekStartDay)
    primary_dashboard = models.ForeignKey(
        "analytics.Dashboard", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    live_events_columns = ArrayField(models.TextField(), null=True, blank=True)
    recording_domains = ArrayField(models.CharField(max_length=200), null=True, blank=True)
    inject_web_apps = optional(models.BooleanField)
    extra_settings = optional(models.JSONField, default=extra_settings)
    modifiers = optional(models.JSONField)
    has_completed_onboarding_for = optional(models.JSONField)
    surveys_opt_in = optional(models.BooleanField)
    heatmaps_opt_in = optional(models.BooleanField)
    flags_persistence_default = optional(models.BooleanField, default=False)
    secret_api_token = EncryptedField(null=True, blank=True, editable=False)
    secret_api_token_backup = EncryptedField(null=True, blank=True, editable=False)
    receive_org_level_activity_logs = optional(models.BooleanField, default=False)
    business_model = optional(models.CharField, max_length=10, choices=BusinessModel)
    conversations_enabled = optional(models.BooleanField)
    conversations_settings = optional(models.JSONField)
    logs_settings = optional(models.JSONField)

    #: Whether the project has group types; annotated by the viewsets, and false for a new one.
    has_group_types = False

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(session_recording_sample_rate__range=(0, 1)), name="project_sample_rate_is_a_share"
            ),
            models.CheckConstraint(
                condition=models.Q(session_recording_minimum_duration_milliseconds__range=(0, 30000)),
                name="project_minimum_duration_is_bounded",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ProductIntent(models.Model):
    """A product that a project intends to use, with a counter for each context."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="product_intents")
    product_type = models.CharField(max_length=255)
    contexts = models.JSONField(default=dict)
    onboarding_completed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timestamps.now, editable=False)
    updated_at = timestamps.ChangedAtField()

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "product_type"],
                name="product_intent_once_per_project",
                violation_error_message="The project has an intent for this product already.",
            )
        ]
