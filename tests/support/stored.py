from typing import Any

from core6.accounts.models import User
from core6.activity.models import ActivityLog
from core6.analytics.models import Dashboard
from projects.models import Project

FORM = "application/x-www-form-urlencoded"
ERRORS = "autocapture_exceptions_errors_to_ignore"
RATE = "session_recording_sample_rate"
DURATION = "session_recording_minimum_duration_milliseconds"
NULLABLE_FLAGS = (
    "test_account_filters_default_checked",
    "autocapture_opt_out",
    "autocapture_exceptions_opt_in",
    "autocapture_web_vitals_opt_in",
    "capture_console_log_opt_in",
    "capture_performance_opt_in",
    "inject_web_apps",
    "surveys_opt_in",
    "heatmaps_opt_in",
    "flags_persistence_default",
    "receive_org_level_activity_logs",
    "conversations_enabled",
)
FLAGS = ("anonymize_ips", "completed_snippet_onboarding", "is_demo", "session_recording_opt_in", "access_control")


def everything() -> list[list[dict[str, Any]]]:
    models: list[Any] = [Project, ActivityLog, Dashboard, User]
    return [list(model.objects.order_by("pk").values()) for model in models]


def store(project: Project, **values: Any) -> None:
    Project.objects.filter(pk=project.pk).update(**values)


def shown(response: Any) -> dict[str, Any]:
    # The token holds the time at which it was made.
    return {name: value for name, value in response.json().items() if name != "live_events_token"}
