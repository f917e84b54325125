import pytest

from tests.conftest import Caller, Cast
from tests.support.stored import everything, shown, store
from tests.support.urls import projects_url as url


@pytest.mark.parametrize(
    ("field", "stored", "sent", "merged"),
    [
        ("survey_config", None, {"a": 1}, {"a": 1}),
        ("survey_config", {"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 1, "b": 3, "c": 4}),
        ("survey_config", {"a": {"x": 1, "y": 2}}, {"a": {"x": 3}}, {"a": {"x": 3}}),
        ("survey_config", {"a": 1, "b": 2}, {"b": None}, {"a": 1, "b": None}),
        ("survey_config", {"a": 1}, {}, {"a": 1}),
        ("survey_config", {"a": 1}, None, None),
        ("modifiers", None, {"debug": True}, {"debug": True}),
        ("modifiers", {"debug": True}, {"timings": False}, {"debug": True, "timings": False}),
        ("modifiers", {"debug": True, "timings": True}, {"debug": None}, {"debug": None, "timings": True}),
        ("modifiers", {"debug": True}, {}, {"debug": True}),
        ("modifiers", {"debug": True}, None, None),
        # What was stored under other rules stays.
        ("modifiers", {"older": 1}, {"debug": True}, {"older": 1, "debug": True}),
        ("session_replay_config", None, {"record_canvas": True}, {"record_canvas": True}),
        (
            "session_replay_config",
            {"record_canvas": True},
            {"ai_config": {"opt_in": True}},
            {"record_canvas": True, "ai_config": {"opt_in": True}},
        ),
        (
            "session_replay_config",
            {"record_canvas": True, "ai_config": {"opt_in": True, "preferred_events": ["a"]}},
            {"ai_config": {"opt_in": False, "excluded_events": ["b"]}},
            {
                "record_canvas": True,
                "ai_config": {"opt_in": False, "preferred_events": ["a"], "excluded_events": ["b"]},
            },
        ),
        # One level deeper and no further.
        (
            "session_replay_config",
            {"ai_config": {"opt_in": True, "preferred_events": {"a": 1, "b": 2}}},
            {"ai_config": {"preferred_events": {"a": 3}}},
            {"ai_config": {"opt_in": True, "preferred_events": {"a": 3}}},
        ),
        ("session_replay_config", {"record_canvas": {"a": 1}}, {"record_canvas": True}, {"record_canvas": True}),
        (
            "session_replay_config",
            {"ai_config": None},
            {"ai_config": {"opt_in": True}},
            {"ai_config": {"opt_in": True}},
        ),
        (
            "session_replay_config",
            {"record_canvas": True, "ai_config": {"opt_in": True}},
            {"ai_config": None},
            {"record_canvas": True, "ai_config": None},
        ),
        (
            "session_replay_config",
            {"ai_config": {"opt_in": True, "preferred_events": ["a"]}},
            {"ai_config": {"opt_in": None}},
            {"ai_config": {"opt_in": None, "preferred_events": ["a"]}},
        ),
        ("session_replay_config", {"record_canvas": True}, {}, {"record_canvas": True}),
        ("session_replay_config", {"record_canvas": True}, None, None),
        ("conversations_settings", None, {"color": "red"}, {"color": "red"}),
        (
            "conversations_settings",
            {"color": "red", "texts": {"a": 1}},
            {"texts": {"b": 2}},
            {"color": "red", "texts": {"b": 2}},
        ),
        ("conversations_settings", {"color": "red"}, {"color": None}, {"color": None}),
        ("conversations_settings", {"color": "red"}, None, None),
        (
            "conversations_settings",
            {"color": "red"},
            {"widget_domains": [None, "a", "", "b"]},
            {"color": "red", "widget_domains": ["a", "b"]},
        ),
        ("conversations_settings", {"widget_domains": ["a"]}, {"widget_domains": [None]}, {"widget_domains": []}),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_object_is_merged_with_the_stored_one(
    cast: Cast, alice: Caller, method: str, field: str, stored: object, sent: object, merged: object
):
    store(cast.web, **{field: stored})
    response = alice.request(method, url(cast, cast.web), {field: sent})
    assert (response.status_code, response.json()[field]) == (200, merged)
    assert alice.get(url(cast, cast.web)).json()[field] == merged


@pytest.mark.parametrize(
    ("field", "stored", "sent"),
    [
        ("survey_config", {"a": 1, "b": {"c": 2}}, {"b": {"c": 2}}),
        ("modifiers", {"debug": True, "timings": None}, {"timings": None}),
        ("session_replay_config", {"record_canvas": True, "ai_config": {"opt_in": True, "preferred_events": []}}, {}),
        (
            "session_replay_config",
            {"record_canvas": True, "ai_config": {"opt_in": True, "preferred_events": []}},
            {"ai_config": {"opt_in": True}},
        ),
        ("conversations_settings", {"color": "red", "widget_domains": ["a"]}, {"widget_domains": ["", "a", None]}),
        ("conversations_settings", {"color": "red", "widget_public_token": "x" * 43}, {"widget_public_token": None}),
        ("conversations_settings", {"color": "red", "widget_public_token": "x" * 43}, {"widget_public_token": "mine"}),
    ],
)
def test_a_merge_that_changes_nothing_writes_nothing(
    cast: Cast, alice: Caller, field: str, stored: object, sent: object
):
    store(cast.web, **{field: stored})
    read, before = shown(alice.get(url(cast, cast.web))), everything()
    response = alice.patch(url(cast, cast.web), {field: sent})
    assert (response.status_code, shown(response)) == (200, read)
    assert everything() == before
