import pytest

from projects.modifiers import MODIFIERS
from tests.conftest import Caller, Cast, invalid
from tests.support.stored import everything
from tests.support.urls import projects_url as url

NO_DICTIONARY = "Must provide a dictionary or None."
FLAG = "session_recording_linked_flag"
PAYLOAD = "session_recording_network_payload_capture_config"
MASKING = "session_recording_masking_config"
REPLAY = "session_replay_config"
FLAG_KEYS = "Must provide a dictionary with only 'id' and 'key' keys. _or_ only 'id', 'key', and 'variant' keys."
PAYLOAD_KEYS = "Must provide a dictionary with only 'recordHeaders' and/or 'recordBody' keys."
MASKING_KEYS = "Must provide a dictionary with only known keys: maskAllInputs, maskTextSelector, blockSelector."
REPLAY_KEYS = "Must provide a dictionary with only known keys: record_canvas, ai_config."
AI_KEYS = (
    "Must provide a dictionary with only allowed keys: included_event_properties, opt_in, preferred_events,"
    " excluded_events, important_user_properties."
)
BOUNCE = "bounceRateDurationSeconds must be a number between 1 and 120."
NO_OBJECTS: list[object] = ["text", [], 5, True, False]
OBJECTS = (FLAG, PAYLOAD, MASKING, REPLAY, "survey_config", "modifiers", "conversations_settings", "logs_settings")


@pytest.mark.parametrize("method", ["PATCH", "PUT", "POST"])
@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        *[(name, value, NO_DICTIONARY) for name in OBJECTS for value in NO_OBJECTS],
        (FLAG, {}, FLAG_KEYS),
        (FLAG, {"id": 1}, FLAG_KEYS),
        (FLAG, {"key": "a"}, FLAG_KEYS),
        (FLAG, {"id": 1, "key": "a", "other": 1}, FLAG_KEYS),
        (FLAG, {"id": 1, "key": "a", "variant": "b", "other": 1}, FLAG_KEYS),
        (FLAG, {"id": 1, "variant": "b"}, FLAG_KEYS),
        (PAYLOAD, {"recordBodies": True}, PAYLOAD_KEYS),
        (PAYLOAD, {"recordBody": True, "other": 1}, PAYLOAD_KEYS),
        (MASKING, {"maskNothing": True}, MASKING_KEYS),
        (MASKING, {"maskAllInputs": True, "other": 1}, MASKING_KEYS),
        (MASKING, {"maskAllInputs": "true"}, "maskAllInputs must be a boolean."),
        (MASKING, {"maskAllInputs": 1}, "maskAllInputs must be a boolean."),
        (MASKING, {"maskTextSelector": 5}, "maskTextSelector must be a string."),
        (MASKING, {"blockSelector": ["img"]}, "blockSelector must be a string."),
        (REPLAY, {"canvas": True}, REPLAY_KEYS),
        (REPLAY, {"record_canvas": True, "other": 1}, REPLAY_KEYS),
        (REPLAY, {"ai_config": {"opt_out": True}}, AI_KEYS),
        (REPLAY, {"ai_config": {"opt_in": True, "other": 1}}, AI_KEYS),
        (REPLAY, {"ai_config": "text"}, NO_DICTIONARY),
        (REPLAY, {"ai_config": []}, NO_DICTIONARY),
        (
            "modifiers",
            {"debug": True, "unknown": 1},
            f"'unknown' is not a known modifier, expected one of: {', '.join(MODIFIERS)}.",
        ),
        ("modifiers", {"bounceRateDurationSeconds": 0}, BOUNCE),
        ("modifiers", {"bounceRateDurationSeconds": 0.99}, BOUNCE),
        ("modifiers", {"bounceRateDurationSeconds": 120.01}, BOUNCE),
        ("modifiers", {"bounceRateDurationSeconds": "60"}, BOUNCE),
        ("modifiers", {"bounceRateDurationSeconds": True}, BOUNCE),
        ("modifiers", {"debug": "true"}, "debug must be a boolean."),
        ("modifiers", {"debug": 1}, "debug must be a boolean."),
        ("modifiers", {"customChannelTypeRules": {}}, "customChannelTypeRules must be a list."),
        ("modifiers", {"personsArgMaxVersion": "v9"}, "personsArgMaxVersion must be one of: auto, v1, v2."),
        ("modifiers", {"sessionsV2JoinMode": ["uuid"]}, "sessionsV2JoinMode must be one of: string, uuid."),
        ("modifiers", {"sessionsV2JoinMode": {}}, "sessionsV2JoinMode must be one of: string, uuid."),
    ],
)
def test_refused_objects_leave_no_trace(cast: Cast, alice: Caller, method: str, field: str, value: object, detail: str):
    before = everything()
    path = url(cast) if method == "POST" else url(cast, cast.web)
    response = alice.request(method, path, {"name": "Not to be kept", field: value})
    assert (response.status_code, response.json()) == (400, invalid("invalid_input", detail, field))
    assert everything() == before


@pytest.mark.parametrize(
    "value",
    [
        {"bounceRateDurationSeconds": 1},
        {"bounceRateDurationSeconds": 1.5},
        {"bounceRateDurationSeconds": 120},
        {"bounceRateDurationSeconds": None},
        {"customChannelTypeRules": [{"id": "1"}], "dataWarehouseEventsModifiers": []},
        {"personsOnEventsMode": "person_id_override_properties_joined", "inCohortVia": "subquery"},
        {},
    ],
)
def test_known_modifiers_are_accepted_as_sent(cast: Cast, alice: Caller, value: dict):
    response = alice.patch(url(cast, cast.web), {"modifiers": value})
    assert (response.status_code, response.json()["modifiers"]) == (200, value)


def test_the_known_modifiers_are_those_with_a_default(cast: Cast, alice: Caller):
    defaults = alice.get(url(cast, cast.web)).json()["default_modifiers"]
    response = alice.patch(url(cast, cast.web), {"modifiers": defaults})
    assert (response.status_code, response.json()["modifiers"]) == (200, defaults)
    assert list(defaults) == list(MODIFIERS)


@pytest.mark.parametrize(
    "value",
    [
        {"record_canvas": True, "ai_config": {"opt_in": True, "preferred_events": ["a"], "excluded_events": []}},
        {"ai_config": {"included_event_properties": ["a"], "important_user_properties": ["b"]}},
        {"ai_config": None, "record_canvas": None},
        {"ai_config": {}},
        {},
    ],
)
def test_known_replay_configs_are_accepted_as_sent(cast: Cast, alice: Caller, value: dict):
    response = alice.patch(url(cast, cast.web), {"session_replay_config": value})
    assert (response.status_code, response.json()["session_replay_config"]) == (200, value)


@pytest.mark.parametrize(
    ("field", "stored", "sent"),
    [
        ("session_recording_network_payload_capture_config", {"recordHeaders": True}, {"recordBody": True}),
        ("session_recording_masking_config", {"maskAllInputs": True}, {"blockSelector": "img"}),
        ("session_recording_linked_flag", {"id": 1, "key": "a", "variant": "b"}, {"id": 2, "key": "c"}),
        ("has_completed_onboarding_for", {"surveys": True}, {"product_analytics": True}),
        ("extra_settings", {"a": 1}, {"b": 2}),
        ("correlation_config", {"a": 1}, {}),
        ("test_account_filters", [{"a": 1}, {"b": 2}], [{"b": 2}]),
        ("app_urls", ["a", "b"], ["b"]),
        ("recording_domains", ["a", "b"], []),
    ],
)
def test_most_fields_are_replaced_whole(cast: Cast, alice: Caller, field: str, stored: object, sent: object):
    assert alice.patch(url(cast, cast.web), {field: stored}).json()[field] == stored
    assert alice.patch(url(cast, cast.web), {field: sent}).json()[field] == sent
