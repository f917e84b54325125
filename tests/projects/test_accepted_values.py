import pytest

from core6.analytics.models import Dashboard
from tests.conftest import Caller, Cast
from tests.support.stored import DURATION, ERRORS, FLAGS, NULLABLE_FLAGS, RATE, shown, store
from tests.support.urls import projects_url as url

UNCHECKED = (
    "test_account_filters",
    "path_cleaning_filters",
    "data_attributes",
    "correlation_config",
    "autocapture_web_vitals_allowed_metrics",
    "extra_settings",
    "has_completed_onboarding_for",
)
NOT_NULL = ("test_account_filters", "data_attributes")
#: Values that every row of the table changes.
BEFORE = {
    "product_description": "Before",
    "app_urls": ["before"],
    "recording_domains": ["before"],
    "slack_incoming_webhook": "https://before.example.com",
    "person_display_name_properties": ["before"],
    "live_events_columns": ["before"],
    ERRORS: ["before"],
    RATE: "0.55",
    DURATION: 55,
    "week_start_day": 1,
    "business_model": "b2b",
    "session_recording_linked_flag": {"id": 55, "key": "before"},
    "session_recording_network_payload_capture_config": {"recordHeaders": True, "recordBody": True},
    "session_recording_masking_config": {"maskAllInputs": True},
}
WRITABLE_FLAGS = sorted({*FLAGS, *NULLABLE_FLAGS} - {"access_control"})


@pytest.mark.parametrize(
    ("field", "sent", "kept"),
    [
        ("name", " Shop ", "Shop"),
        ("name", 5, "5"),
        ("name", "x" * 200, "x" * 200),
        ("name", "Ünïcode 🦔", "Ünïcode 🦔"),
        ("product_description", "", ""),
        ("product_description", None, None),
        ("product_description", "x" * 1000, "x" * 1000),
        ("app_urls", [], []),
        ("app_urls", [None, "", "https://example.com", "  "], ["https://example.com"]),
        ("app_urls", ["x" * 200, "https://*.example.com"], ["x" * 200, "https://*.example.com"]),
        ("recording_domains", None, None),
        ("recording_domains", ["", None], []),
        ("recording_domains", ["https://example.com", None, "", "b"], ["https://example.com", "b"]),
        ("slack_incoming_webhook", "", None),
        ("slack_incoming_webhook", None, None),
        ("slack_incoming_webhook", "https://example.com/" + "x" * 480, "https://example.com/" + "x" * 480),
        ("timezone", "Europe/Berlin", "Europe/Berlin"),
        ("timezone", "US/Pacific", "US/Pacific"),
        ("timezone", "Asia/Calcutta", "Asia/Calcutta"),
        ("timezone", "EST", "EST"),
        ("person_display_name_properties", ["email", "x" * 400], ["email", "x" * 400]),
        ("person_display_name_properties", None, None),
        ("live_events_columns", ["event", "x" * 1000], ["event", "x" * 1000]),
        ("live_events_columns", None, None),
        (ERRORS, ["x" * 296], ["x" * 296]),
        (ERRORS, [], []),
        (RATE, "0.4", "0.40"),
        (RATE, 0.4, "0.40"),
        (RATE, "0.40", "0.40"),
        (RATE, 0, "0.00"),
        (RATE, "0", "0.00"),
        (RATE, 1, "1.00"),
        (RATE, "1.00", "1.00"),
        (RATE, None, None),
        (RATE, "", None),
        (DURATION, 0, 0),
        (DURATION, "1500", 1500),
        (DURATION, 30000, 30000),
        (DURATION, None, None),
        ("week_start_day", 0, 0),
        ("week_start_day", 1, 1),
        ("week_start_day", "1", 1),
        ("week_start_day", None, None),
        ("business_model", "b2c", "b2c"),
        ("business_model", "other", "other"),
        ("business_model", "", ""),
        ("business_model", None, None),
        ("session_recording_linked_flag", {"id": 1, "key": "a"}, {"id": 1, "key": "a"}),
        ("session_recording_linked_flag", {"id": [], "key": None, "variant": 5}, {"id": [], "key": None, "variant": 5}),
        ("session_recording_linked_flag", None, None),
        ("session_recording_network_payload_capture_config", {"recordBody": True}, {"recordBody": True}),
        ("session_recording_network_payload_capture_config", {"recordHeaders": 5}, {"recordHeaders": 5}),
        ("session_recording_network_payload_capture_config", {}, {}),
        ("session_recording_network_payload_capture_config", None, None),
        ("session_recording_masking_config", {"maskAllInputs": False}, {"maskAllInputs": False}),
        (
            "session_recording_masking_config",
            {"maskTextSelector": "*", "blockSelector": "img"},
            {"maskTextSelector": "*", "blockSelector": "img"},
        ),
        ("session_recording_masking_config", None, None),
    ],
)
def test_a_valid_value_is_kept_and_read_again(cast: Cast, alice: Caller, field: str, sent: object, kept: object):
    store(cast.web, **BEFORE)
    response = alice.patch(url(cast, cast.web), {field: sent})
    assert (response.status_code, response.json().get(field)) == (200, kept)
    assert shown(alice.get(url(cast, cast.web))) == shown(response)


@pytest.mark.parametrize("field", WRITABLE_FLAGS)
@pytest.mark.parametrize(("sent", "kept"), [("true", True), (1, True), ("on", True), ("false", False), (0, False)])
def test_booleans_are_read_in_every_form(cast: Cast, alice: Caller, field: str, sent: object, kept: bool):
    store(cast.web, **{field: not kept})
    response = alice.patch(url(cast, cast.web), {field: sent})
    assert (response.status_code, response.json()[field]) == (200, kept)


@pytest.mark.parametrize("field", NULLABLE_FLAGS)
def test_an_undecided_boolean_is_null(cast: Cast, alice: Caller, field: str):
    store(cast.web, **{field: True})
    response = alice.patch(url(cast, cast.web), {field: None})
    assert (response.status_code, response.json()[field]) == (200, None)


@pytest.mark.parametrize("field", UNCHECKED)
@pytest.mark.parametrize("value", [[{"key": "a"}], {"a": {"b": [None]}}, "text", "", 5, 0.5, True, False, 0, [], {}])
def test_any_json_is_kept_where_nothing_is_checked(cast: Cast, alice: Caller, field: str, value: object):
    store(cast.web, **{field: ["before"]})
    response = alice.patch(url(cast, cast.web), {field: value})
    assert (response.status_code, response.json()[field]) == (200, value)
    assert alice.get(url(cast, cast.web)).json()[field] == value


@pytest.mark.parametrize("field", sorted(set(UNCHECKED) - set(NOT_NULL)))
def test_null_clears_what_is_not_checked(cast: Cast, alice: Caller, field: str):
    store(cast.web, **{field: ["before"]})
    response = alice.patch(url(cast, cast.web), {field: None})
    assert (response.status_code, response.json()[field]) == (200, None)


@pytest.mark.parametrize("form", [int, str])
def test_a_dashboard_of_the_project_can_be_primary(cast: Cast, alice: Caller, form: type):
    dashboard = Dashboard.objects.create(project=cast.web)
    response = alice.patch(url(cast, cast.web), {"primary_dashboard": form(dashboard.pk)})
    assert (response.status_code, response.json()["primary_dashboard"]) == (200, dashboard.pk)
    assert alice.patch(url(cast, cast.web), {"primary_dashboard": None}).json()["primary_dashboard"] is None


def test_put_needs_nothing_and_leaves_absent_fields_alone(cast: Cast, alice: Caller):
    store(cast.web, app_urls=["a"], anonymize_ips=True, capture_console_log_opt_in=False, timezone="Europe/Berlin")
    before = shown(alice.get(url(cast, cast.web)))
    response = alice.put(url(cast, cast.web), {"name": "Shop"})
    assert response.status_code == 200
    assert shown(response) == {**before, "name": "Shop", "updated_at": response.json()["updated_at"]}


def test_a_member_changes_every_other_setting(cast: Cast):
    response = cast.caller(cast.carol).patch(url(cast, cast.web), {"name": "Shop", "timezone": "Europe/Berlin"})
    assert response.status_code == 200
    assert (response.json()["name"], response.json()["timezone"]) == ("Shop", "Europe/Berlin")


def test_a_change_moves_updated_at(cast: Cast, alice: Caller):
    before = alice.get(url(cast, cast.web)).json()
    after = alice.patch(url(cast, cast.web), {"timezone": "Europe/Berlin"}).json()
    assert after["updated_at"] > before["updated_at"]
    assert after["created_at"] == before["created_at"]
