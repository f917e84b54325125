"""The descriptions of project operations and of project fields in the OpenAPI schema."""

from typing import Final

from drf_spectacular.utils import extend_schema_view

from core6.api.openapi.operations import ADMINISTRATORS, KEEPS_THE_REST, activity_of, operation

_CREATED: Final = (
    f" If `is_demo` is true, it is filled with demo data.{ADMINISTRATORS} A demo project can be created by every"
    " member."
)
_APPLIES: Final = " Fields in the body are changed as in an update."

documented = extend_schema_view(
    list=operation("List all projects", "Lists the projects of the organization in short form, oldest first."),
    create=operation(
        "Create projects",
        f"Creates a project.{_CREATED}",
        {"name": "Mobile app", "timezone": "Europe/Berlin"},
    ),
    retrieve=operation("Retrieve projects", "Returns a project with all its settings."),
    update=operation("Replace projects", f"Changes a project.{KEEPS_THE_REST}", {"name": "Web and mobile"}),
    partial_update=operation(
        "Update projects", f"Changes a project.{KEEPS_THE_REST}", {"anonymize_ips": True, "week_start_day": 1}
    ),
    destroy=operation("Delete projects", f"Deletes a project and all its data permanently.{ADMINISTRATORS}"),
    complete_product_onboarding=operation(
        "Update complete product onboarding",
        f"Records that the onboarding of the product `product_type` is complete.{_APPLIES} Changing any field of the"
        " project except `has_completed_onboarding_for` also requires the API key scope `project:write`.",
        {"product_type": "product_analytics", "intent_context": "onboarding product selected - primary"},
    ),
    delete_secret_token_backup=operation(
        "Update delete secret token backup",
        f"Deletes the backup of the secret token. The backup stops working immediately.{_APPLIES}{ADMINISTRATORS}",
    ),
    generate_conversations_public_token=operation(
        "Create generate conversations public token",
        f"Generates a new public token for the conversations widget of the project.{_APPLIES}{ADMINISTRATORS}",
    ),
    is_generating_demo_data=operation(
        "Retrieve is generating demo data",
        "Returns the project, and whether demo data is still being generated for it.",
    ),
    reset_token=operation(
        "Update reset token",
        f"Generates a new `api_token`. The previous one stops working immediately.{_APPLIES}{ADMINISTRATORS}",
    ),
    rotate_secret_token=operation(
        "Update rotate secret token",
        f"Generates a new `secret_api_token`. The previous one is kept in `secret_api_token_backup`.{_APPLIES}"
        f"{ADMINISTRATORS}",
    ),
    activity=activity_of("a project"),
)
#: What differs for `/api/projects/`, which has no organization in its URL.
documented_for_all = extend_schema_view(
    list=operation("List all projects", "Lists all projects of the caller in short form, oldest first."),
    create=operation("Create projects", f"Creates a project in your current organization.{_CREATED}"),
)

FIELDS: Final = {
    "id": "ID of the project.",
    "organization": "ID of the organization of the project.",
    "name": "Name of the project.",
    "product_description": "Short description of the product.",
    "created_at": "When the project was created.",
    "effective_membership_level": "Access level of the caller: 1 member, 8 administrator, 15 owner.",
    "has_group_types": "Whether the project has group types.",
    "group_types": "Group types of the project, ordered by their index.",
    "live_events_token": "Token (JWT) for reading live events. Valid for 7 days.",
    "updated_at": "When the project was last changed.",
    "uuid": "UUID of the project.",
    "api_token": "Public token for sending events to the project.",
    "app_urls": "URLs of the product. Empty values are removed.",
    "slack_incoming_webhook": "URL of a Slack webhook. Must be an https URL of a public host.",
    "anonymize_ips": "Whether the IP addresses of visitors are discarded.",
    "completed_snippet_onboarding": "Whether the tracking snippet is installed.",
    "ingested_event": "Whether the project has received an event.",
    "test_account_filters": "Filters that exclude internal and test users.",
    "test_account_filters_default_checked": "Whether `test_account_filters` apply by default.",
    "path_cleaning_filters": "Rules that replace parts of URL paths with aliases.",
    "is_demo": "Whether the project is a demo project. Only administrators and owners can change it.",
    "timezone": "Time zone of the project.",
    "data_attributes": "HTML attributes that identify captured elements.",
    "person_display_name_properties": "Person properties to use as the display name, in order of preference.",
    "correlation_config": "Properties and events to exclude from correlation analysis.",
    "autocapture_opt_out": "Whether automatic capture of events is disabled.",
    "autocapture_exceptions_opt_in": "Whether exceptions are captured.",
    "autocapture_web_vitals_opt_in": "Whether web vitals are captured.",
    "autocapture_web_vitals_allowed_metrics": "Web vitals to capture. Null means all.",
    "autocapture_exceptions_errors_to_ignore": "Error messages of exceptions that are not captured.",
    "capture_console_log_opt_in": "Whether session recordings include the browser console.",
    "capture_performance_opt_in": "Whether session recordings include performance data.",
    "session_recording_opt_in": "Whether sessions are recorded.",
    "session_recording_sample_rate": "Share of sessions to record, from 0 to 1. Null means all.",
    "session_recording_minimum_duration_milliseconds": "Shorter sessions are not recorded. In milliseconds.",
    "session_recording_linked_flag": "Feature flag that enables recording: an object with `id`, `key` and, optionally,"
    " `variant`.",
    "session_recording_network_payload_capture_config": "Whether session recordings include headers (`recordHeaders`)"
    " and bodies (`recordBody`) of network requests.",
    "session_recording_masking_config": "Elements that session recordings mask: `maskAllInputs`, `maskTextSelector` and"
    " `blockSelector`.",
    "session_replay_config": "Settings of session replay: `record_canvas` and `ai_config`.",
    "survey_config": "Settings of surveys.",
    "access_control": "Deprecated. Cannot be changed.",
    "week_start_day": "First day of the week.",
    "primary_dashboard": "ID of the primary dashboard of the project.",
    "live_events_columns": "Columns of the live events.",
    "recording_domains": "Domains where sessions are recorded. Null means all. Empty values are removed.",
    "person_on_events_querying_enabled": "Whether queries use the person properties that are stored with events.",
    "inject_web_apps": "Whether site apps are added to web pages.",
    "extra_settings": "Settings without a field of their own.",
    "modifiers": "Query modifiers of the project. The others have the values of `default_modifiers`.",
    "default_modifiers": "Default values of the query modifiers.",
    "has_completed_onboarding_for": "Products whose onboarding is complete, each with the value `true`.",
    "surveys_opt_in": "Whether surveys are enabled.",
    "heatmaps_opt_in": "Whether heatmaps are enabled.",
    "product_intents": "Products that the project intends to use.",
    "flags_persistence_default": "Whether new feature flags keep their value when a visitor logs in.",
    "secret_api_token": "Secret token for feature flags on servers. Null until it is generated.",
    "secret_api_token_backup": "Previous secret token, which still works. Null if there is none.",
    "receive_org_level_activity_logs": "Whether the project receives the activity logs of the organization. Only"
    " administrators and owners can change it.",
    "business_model": "Business model of the product.",
    "conversations_enabled": "Whether conversations are enabled.",
    "conversations_settings": "Settings of conversations.",
    "logs_settings": "Settings of logs.",
}
