"""What the schema says of the operations on projects, and of the fields of a project."""

from typing import Final

from core6.api.documentation import ACTIVITY, ADMINISTRATORS, Operation
from projects.onboarding import OnboardingErrorSerializer

_APPLIES: Final = " The fields of the body are applied as by an update."

OPERATIONS: Final = {
    "list": Operation("List all projects", "The projects of the organization in their short form, oldest first."),
    "create": Operation(
        "Create projects",
        f"Makes a project; `is_demo` fills it with invented people.{ADMINISTRATORS}",
        {"name": "Mobile app", "timezone": "Europe/Berlin"},
    ),
    "retrieve": Operation("Retrieve projects", "One project with all its settings."),
    "update": Operation(
        "Replace projects", "Changes a project; what is left out stays as it is.", {"name": "Web and mobile"}
    ),
    "partial_update": Operation(
        "Update projects", "Changes the settings that are sent.", {"anonymize_ips": True, "week_start_day": 1}
    ),
    "destroy": Operation("Delete projects", f"Ends the project and everything in it, for good.{ADMINISTRATORS}"),
    "complete_product_onboarding": Operation(
        "Update complete product onboarding",
        "Notes that the onboarding of the product `product_type` is complete. The fields of the body are applied, too,"
        " which takes a key that may write.",
        {"product_type": "product_analytics", "intent_context": "onboarding product selected - primary"},
        {400: OnboardingErrorSerializer},
    ),
    "delete_secret_token_backup": Operation(
        "Update delete secret token backup",
        f"Ends the secret token that was kept when the present one was made.{_APPLIES}{ADMINISTRATORS}",
        {},
    ),
    "generate_conversations_public_token": Operation(
        "Create generate conversations public token",
        f"Gives the project's conversations widget another public token.{_APPLIES}{ADMINISTRATORS}",
        {},
    ),
    "is_generating_demo_data": Operation(
        "Retrieve is generating demo data",
        "The project, and whether the job that fills it with demo data is still queued or running.",
    ),
    "reset_token": Operation(
        "Update reset token",
        f"Gives the project another `api_token`; the old one is dead at once.{_APPLIES}{ADMINISTRATORS}",
        {},
    ),
    "rotate_secret_token": Operation(
        "Update rotate secret token",
        f"Gives the project another `secret_api_token` and keeps the one before it as a backup."
        f"{_APPLIES}{ADMINISTRATORS}",
        {},
    ),
    "activity": ACTIVITY,
}

FIELDS: Final = {
    "id": "The number by which addresses name the project.",
    "organization": "The organization that it belongs to.",
    "name": "What people call it.",
    "product_description": "What the product is, in a few words.",
    "created_at": "When it was made.",
    "has_group_types": "Whether its events know groups.",
    "group_types": "The kinds of group that its events know, by index.",
    "updated_at": "When it was changed last.",
    "uuid": "Its id that is the same everywhere.",
    "api_token": "The public token by which events are sent in.",
    "app_urls": "Addresses at which the product runs; empty ones are dropped.",
    "slack_incoming_webhook": "An https address on a public host to notify.",
    "anonymize_ips": "Whether the addresses of visitors are dropped.",
    "completed_snippet_onboarding": "Whether the snippet was installed.",
    "ingested_event": "Whether it has had an event.",
    "test_account_filters": "Conditions that tell whose events are no tests.",
    "test_account_filters_default_checked": "Whether these conditions apply unless taken away.",
    "path_cleaning_filters": "Aliases by which paths are made alike.",
    "is_demo": "Whether its people are invented; administrators change it.",
    "timezone": "The time zone of its days.",
    "data_attributes": "Attributes of elements that are captured.",
    "person_display_name_properties": "The properties that a person is called by, in order of preference.",
    "correlation_config": "What is left out of correlation analysis.",
    "autocapture_opt_out": "Whether automatic capture is off.",
    "autocapture_exceptions_opt_in": "Whether exceptions are captured.",
    "autocapture_web_vitals_opt_in": "Whether web vitals are captured.",
    "autocapture_web_vitals_allowed_metrics": "Which web vitals; null is all.",
    "autocapture_exceptions_errors_to_ignore": "Texts of errors that are not captured.",
    "capture_console_log_opt_in": "Whether recordings hold the console.",
    "capture_performance_opt_in": "Whether recordings hold performance figures.",
    "session_recording_opt_in": "Whether sessions are recorded.",
    "session_recording_sample_rate": "The share of sessions that is recorded, from 0 to 1.",
    "session_recording_minimum_duration_milliseconds": "Shorter sessions are not kept; in milliseconds.",
    "session_recording_linked_flag": "The feature flag that switches recording on: its id and key.",
    "session_recording_network_payload_capture_config": "Which bodies and headers of requests recordings hold.",
    "session_recording_masking_config": "What recordings mask.",
    "session_replay_config": "Settings of replay.",
    "survey_config": "Settings of surveys.",
    "access_control": "Deprecated: cannot be changed.",
    "week_start_day": "The first day of a week: 0 Sunday, 1 Monday.",
    "primary_dashboard": "The id of the dashboard shown first.",
    "live_events_columns": "The columns of the live events.",
    "recording_domains": "Hosts whose sessions are recorded; null is all.",
    "person_on_events_querying_enabled": "Whether queries read the person from the event.",
    "inject_web_apps": "Whether site apps are injected.",
    "extra_settings": "Settings that have no field of their own.",
    "modifiers": "How queries are run, where it is not the default.",
    "has_completed_onboarding_for": "The products whose onboarding is complete, each with true.",
    "surveys_opt_in": "Whether surveys are on.",
    "heatmaps_opt_in": "Whether heat maps are on.",
    "product_intents": "The products that it means to use.",
    "flags_persistence_default": "Whether new feature flags stay the same when a visitor logs in.",
    "secret_api_token": "The secret token of server-side flags; null until it is made.",
    "secret_api_token_backup": "The secret token before that, which still works; null without one.",
    "receive_org_level_activity_logs": "Whether it is told of the organization's activity; administrators change it.",
    "business_model": "To whom the product is sold.",
    "conversations_enabled": "Whether conversations are on.",
    "conversations_settings": "Settings of conversations.",
    "logs_settings": "Settings of logs.",
}
