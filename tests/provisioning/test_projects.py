from typing import Any

import pytest

from core6.analytics.models import GroupType
from core6.provisioning import provision as provisioning
from core6.provisioning import world
from projects.models import Project
from projects.serializers import ProjectSerializer

pytestmark = pytest.mark.django_db

#: A value for every writable field.
VALUES: dict[str, Any] = {
    "name": "Web",
    "product_description": "A shop",
    "app_urls": ["https://a.example"],
    "slack_incoming_webhook": "https://hooks.example.com/x",
    "anonymize_ips": True,
    "completed_snippet_onboarding": True,
    "test_account_filters": [],
    "test_account_filters_default_checked": True,
    "path_cleaning_filters": [{"regex": "a", "alias": "b"}],
    "is_demo": True,
    "timezone": "Europe/Berlin",
    "data_attributes": ["data-a"],
    "person_display_name_properties": ["email"],
    "correlation_config": {"a": 1},
    "autocapture_opt_out": True,
    "autocapture_exceptions_opt_in": True,
    "autocapture_web_vitals_opt_in": True,
    "autocapture_web_vitals_allowed_metrics": ["LCP"],
    "autocapture_exceptions_errors_to_ignore": ["x"],
    "capture_console_log_opt_in": False,
    "capture_performance_opt_in": None,
    "session_recording_opt_in": True,
    "session_recording_sample_rate": "0.25",
    "session_recording_minimum_duration_milliseconds": 5,
    "session_recording_linked_flag": {"id": 1, "key": "a"},
    "session_recording_network_payload_capture_config": {"recordBody": True},
    "session_recording_masking_config": {"maskAllInputs": True},
    "session_replay_config": {"record_canvas": True},
    "survey_config": {"a": 1},
    "access_control": False,
    "week_start_day": 1,
    "live_events_columns": ["event"],
    "recording_domains": ["https://b.example"],
    "inject_web_apps": True,
    "extra_settings": {"a": 1},
    "modifiers": {"debug": True},
    "has_completed_onboarding_for": {"surveys": True},
    "surveys_opt_in": True,
    "heatmaps_opt_in": True,
    "flags_persistence_default": True,
    "receive_org_level_activity_logs": True,
    "business_model": "b2b",
    "conversations_settings": {"widget_color": "red"},
    "logs_settings": {"retention_days": 7},
}


def provision(**project: Any) -> dict[str, Any]:
    read = world.World.model_validate({"organizations": [{"name": "Acme", "projects": [{"name": "Web", **project}]}]})
    return provisioning.provision(read)["organizations"]["Acme"]["projects"]["Web"]


def test_every_writable_field_can_be_declared():
    writable = {name for name, field in ProjectSerializer().fields.items() if not field.read_only}
    assert set(VALUES) | {"primary_dashboard", "conversations_enabled"} == writable
    provision(**VALUES)
    shown = ProjectSerializer(Project.objects.get(), context={"level": 15, "user": None}).data
    assert {name: shown[name] for name in VALUES} == VALUES


def test_conversations_and_the_primary_dashboard_can_be_declared():
    made = provision(conversations_enabled=True, dashboards=[{"name": "Launch"}], primary_dashboard="Launch")
    project = Project.objects.get()
    assert project.conversations_settings is not None
    assert len(project.conversations_settings["widget_public_token"]) == 43
    assert project.primary_dashboard_id == made["dashboards"]["Launch"]["id"]


def test_a_second_run_changes_nothing():
    fields = {**VALUES, "api_token": "phc_fixed", "group_types": [{"group_type": "company"}]}
    first = provision(**fields)
    kept = Project.objects.values().get()
    assert provision(**fields) == first
    assert Project.objects.values().get() == kept
    assert first["api_token"] == "phc_fixed"


def test_group_types_are_counted_from_nought_and_updated_by_type():
    provision(group_types=[{"group_type": "company", "name_singular": "company"}, {"group_type": "team"}])
    provision(group_types=[{"group_type": "team", "name_plural": "teams"}, {"group_type": "shop"}])
    rows = GroupType.objects.order_by("group_type_index")
    assert list(rows.values_list("group_type", "group_type_index", "name_singular", "name_plural")) == [
        ("company", 0, "company", None),
        ("team", 1, None, "teams"),
        ("shop", 2, None, None),
    ]


AT = "organizations[0].projects[0]"


@pytest.mark.parametrize(
    ("project", "message"),
    [
        ({"nonsense": 1}, f"{AT}.nonsense: unknown property"),
        ({"uuid": "x"}, f"{AT}.uuid: unknown property"),
        ({"timezone": "Mars"}, f'{AT}.timezone: "Mars" is not a valid choice.'),
        ({"app_urls": ["x" * 201]}, f"{AT}.app_urls: Ensure this field has no more than 200 characters."),
        ({"modifiers": []}, f"{AT}.modifiers: Must provide a dictionary or None."),
        (
            {"primary_dashboard": "Launch"},
            f"{AT}.primary_dashboard: there is no dashboard 'Launch': add one to dashboards",
        ),
        (
            {"group_types": [{"group_type": str(i)} for i in range(6)]},
            f"{AT}.group_types[5]: a project has at most 5 group types: leave one out",
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(project: dict, message: str):
    with pytest.raises(world.WorldError) as refusal:
        provision(**project)
    assert str(refusal.value) == message
    assert not Project.objects.exists()
