import re
from typing import Any
from urllib.parse import urlencode

import pytest

from core6.activity.models import ActivityLog
from projects.demo import request_demo_data
from projects.models import ProductIntent, Project
from projects.onboarding import MOST_CONTEXTS, PRODUCTS
from tests.conftest import Caller, Cast, error, invalid, refused
from tests.support.urls import action_url as url

API_TOKEN = re.compile(r"phc_[0-9A-Za-z]{40,43}")
SECRET = re.compile(r"phs_[0-9A-Za-z]{44,48}")
FORM = "application/x-www-form-urlencoded"


def act(caller: Caller, cast: Cast, action: str, body: Any = None, **extra: Any) -> Any:
    method = "POST" if action.startswith("generate") else "PATCH"
    return caller.request(method, url(cast, action), {} if body is None else body, **extra)


def history(cast: Cast) -> list[dict]:
    """Return the changes of the project's activity, latest first."""
    rows = ActivityLog.objects.filter(scope="Team", item_id=str(cast.web.pk)).order_by("-created_at", "-id")
    return [change for row in rows for change in row.detail["changes"]]


def mask(token: str) -> str:
    return f"{token[:4]}...{token[-4:]}"


def test_reset_token_replaces_the_token_and_no_other(cast: Cast, alice: Caller):
    act(alice, cast, "rotate_secret_token")
    before = alice.get(url(cast)).json()
    response = act(alice, cast, "reset_token")
    after = response.json()
    assert response.status_code == 200
    assert API_TOKEN.fullmatch(after["api_token"])
    assert after["api_token"] != before["api_token"]
    assert after["updated_at"] > before["updated_at"]
    moved = {"api_token": 0, "updated_at": 0, "live_events_token": 0}
    assert {**after, **moved} == {**before, **moved}
    assert history(cast)[0] == {
        "type": "Team",
        "action": "changed",
        "field": "api_token",
        "before": before["api_token"],
        "after": after["api_token"],
    }
    assert act(alice, cast, "reset_token").json()["api_token"] != after["api_token"]


def test_rotation_keeps_one_backup(cast: Cast, alice: Caller):
    first = act(alice, cast, "rotate_secret_token").json()
    a = first["secret_api_token"]
    assert (SECRET.fullmatch(a) is not None, first["secret_api_token_backup"]) == (True, None)
    second = act(alice, cast, "rotate_secret_token").json()
    b = second["secret_api_token"]
    assert second["secret_api_token_backup"] == a
    third = act(alice, cast, "rotate_secret_token").json()
    c = third["secret_api_token"]
    assert third["secret_api_token_backup"] == b
    assert len({a, b, c}) == 3
    assert history(cast) == [
        {
            "type": "Team",
            "action": "changed",
            "field": "secret_api_token",
            "before": {"secret_api_token": mask(b), "secret_api_token_backup": mask(a)},
            "after": {"secret_api_token": mask(c), "secret_api_token_backup": mask(b)},
        },
        {
            "type": "Team",
            "action": "changed",
            "field": "secret_api_token",
            "before": {"secret_api_token": mask(a), "secret_api_token_backup": None},
            "after": {"secret_api_token": mask(b), "secret_api_token_backup": mask(a)},
        },
        {
            "type": "Team",
            "action": "created",
            "field": "secret_api_token",
            "before": {"secret_api_token": None},
            "after": {"secret_api_token": mask(a)},
        },
    ]


def test_a_backup_without_a_token_is_lost_by_rotation(cast: Cast, alice: Caller):
    cast.web.secret_api_token_backup = "phs_" + "b" * 45
    cast.web.save()
    body = act(alice, cast, "rotate_secret_token").json()
    assert body["secret_api_token_backup"] is None
    assert (history(cast)[0]["action"], list(history(cast)[0]["after"])) == ("created", ["secret_api_token"])


def test_deleting_the_backup_leaves_the_token(cast: Cast, alice: Caller):
    a = act(alice, cast, "rotate_secret_token").json()["secret_api_token"]
    b = act(alice, cast, "rotate_secret_token").json()["secret_api_token"]
    body = act(alice, cast, "delete_secret_token_backup").json()
    assert (body["secret_api_token"], body["secret_api_token_backup"]) == (b, None)
    assert history(cast)[0] == {
        "type": "Team",
        "action": "deleted",
        "field": "secret_api_token_backup",
        "before": mask(a),
        "after": None,
    }


def test_deleting_no_backup_does_nothing(cast: Cast, alice: Caller):
    before = alice.get(url(cast)).json()
    response = act(alice, cast, "delete_secret_token_backup")
    assert (response.status_code, response.json()) == (
        200,
        before | {"live_events_token": response.json()["live_events_token"]},
    )
    assert history(cast) == []


def test_a_conversations_token_is_among_its_siblings(cast: Cast, alice: Caller):
    alice.patch(url(cast), {"conversations_settings": {"widget_color": "#fff"}})
    first = act(alice, cast, "generate_conversations_public_token")
    token = first.json()["conversations_settings"]["widget_public_token"]
    assert first.status_code == 200
    assert API_TOKEN.fullmatch(token)
    assert first.json()["conversations_settings"] == {"widget_color": "#fff", "widget_public_token": token}
    assert first.json()["conversations_enabled"] is None
    second = act(alice, cast, "generate_conversations_public_token").json()["conversations_settings"]
    assert second["widget_public_token"] != token
    common = {"type": "Team", "field": "conversations_settings.widget_public_token"}
    assert history(cast)[:2] == [
        {**common, "action": "changed", "before": mask(token), "after": mask(second["widget_public_token"])},
        {**common, "action": "created", "before": None, "after": mask(token)},
    ]


def test_settings_that_were_null_become_an_object(cast: Cast, alice: Caller):
    body = act(alice, cast, "generate_conversations_public_token").json()
    assert list(body["conversations_settings"]) == ["widget_public_token"]


def test_the_answer_about_demo_data_holds_the_project(cast: Cast, alice: Caller):
    body = alice.get(url(cast, "is_generating_demo_data")).json()
    project = alice.get(url(cast)).json()
    assert list(body) == [*project, "is_generating_demo_data"]
    assert body["is_generating_demo_data"] is False
    request_demo_data(cast.web)
    assert alice.get(url(cast, "is_generating_demo_data")).json()["is_generating_demo_data"] is True


def test_onboarding_counts_an_intent(cast: Cast, alice: Caller):
    sent = {"product_type": "surveys", "intent_context": "feature flag created", "metadata": {"a": 1}}
    first = act(alice, cast, "complete_product_onboarding", sent)
    (intent,) = first.json()["product_intents"]
    assert first.status_code == 200
    assert list(intent) == ["product_type", "created_at", "onboarding_completed_at", "updated_at"]
    act(alice, cast, "complete_product_onboarding", sent)
    third = act(alice, cast, "complete_product_onboarding", {"product_type": "surveys"}).json()
    (again,) = third["product_intents"]
    assert again["created_at"] == intent["created_at"]
    assert again["onboarding_completed_at"] > intent["onboarding_completed_at"]
    assert again["updated_at"] > intent["updated_at"]
    assert ProductIntent.objects.get().contexts == {"feature flag created": 2, "null": 1}
    assert third["has_completed_onboarding_for"] is None
    assert history(cast) == []
    act(alice, cast, "complete_product_onboarding", {"product_type": "persons"})
    assert [each["product_type"] for each in alice.get(url(cast)).json()["product_intents"]] == ["surveys", "persons"]


@pytest.mark.parametrize("product", PRODUCTS)
def test_onboarding_knows_every_product(cast: Cast, alice: Caller, product: str):
    (intent,) = act(alice, cast, "complete_product_onboarding", {"product_type": product}).json()["product_intents"]
    assert intent["product_type"] == product


def test_the_products_of_today_are_known():
    assert {"logs", "conversations", "workflows", "product_tours"} <= set(PRODUCTS)


@pytest.mark.parametrize(
    "context",
    ["nav panel advertisement clicked", "vercel_integration", "create_experiment_from_funnel_button", "🦔" * 200, ""],
)
def test_a_context_is_any_text(cast: Cast, alice: Caller, context: str):
    sent = {"product_type": "logs", "intent_context": context}
    assert act(alice, cast, "complete_product_onboarding", sent).status_code == 200
    form = urlencode(sent)
    assert act(alice, cast, "complete_product_onboarding", form, content_type=FORM).status_code == 200
    assert ProductIntent.objects.get().contexts == {context: 2}


def test_so_many_contexts_are_counted_and_no_more(cast: Cast, alice: Caller):
    known = {str(number): 1 for number in range(MOST_CONTEXTS)}
    ProductIntent.objects.create(project=cast.web, product_type="logs", contexts=known)
    for context in ("one more", "7"):
        sent = {"product_type": "logs", "intent_context": context}
        assert act(alice, cast, "complete_product_onboarding", sent).status_code == 200
    assert ProductIntent.objects.get().contexts == {**known, "7": 2}


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_product_is_refused_in_both_forms_of_errors(cast: Cast, alice: Caller, value: object):
    response = act(alice, cast, "complete_product_onboarding", {"product_type": value})
    expected = invalid("required", "This field is required.", "product_type")
    assert (response.status_code, response.json()) == (400, {**expected, "error": "product_type is required"})


@pytest.mark.parametrize("value", ["nonsense", 5, False, [], {"a": 1}])
def test_an_unknown_product_is_refused_in_both_forms_of_errors(cast: Cast, alice: Caller, value: object):
    response = act(alice, cast, "complete_product_onboarding", {"product_type": value, "name": "New"})
    known = ", ".join(PRODUCTS)
    expected = invalid("invalid_choice", f'"{value}" is not a valid choice.', "product_type")
    also = {"error": f"invalid product_type, expected one of [{known}]"}
    assert (response.status_code, response.json()) == (400, {**expected, **also})
    cast.web.refresh_from_db()
    assert cast.web.name == "Web"
    assert not ProductIntent.objects.exists()


@pytest.mark.parametrize(
    ("sent", "code", "detail", "attr"),
    [
        (
            {"intent_context": "x" * 201},
            "max_length",
            "Ensure this field has no more than 200 characters.",
            "intent_context",
        ),
        ({"intent_context": ["x"]}, "invalid_input", "Not a valid string.", "intent_context"),
        ({"intent_context": None}, "null", "This field may not be null.", "intent_context"),
        ({"metadata": []}, "not_a_dict", 'Expected a dictionary of items but got type "list".', "metadata"),
        ({"timezone": "Mars"}, "invalid_choice", '"Mars" is not a valid choice.', "timezone"),
    ],
)
def test_bad_onboarding_leaves_no_trace(cast: Cast, alice: Caller, sent: dict, code: str, detail: str, attr: str):
    response = act(alice, cast, "complete_product_onboarding", {"product_type": "surveys", **sent})
    assert (response.status_code, response.json()) == (400, invalid(code, detail, attr))
    assert not ProductIntent.objects.exists()


def test_onboarding_without_a_product_applies_the_fields_alone(cast: Cast, alice: Caller):
    body = act(alice, cast, "complete_product_onboarding", {"name": "New", "surveys_opt_in": True}).json()
    assert (body["name"], body["surveys_opt_in"], body["product_intents"]) == ("New", True, [])


def test_a_reading_key_completes_onboarding_and_changes_nothing_else(cast: Cast):
    reader = cast.caller(cast.carol, "project:read")
    done = {"product_analytics": True}
    sent = {"product_type": "surveys", "intent_context": "experiment created", "metadata": {}}
    response = act(reader, cast, "complete_product_onboarding", {**sent, "has_completed_onboarding_for": done, "id": 9})
    assert (response.status_code, response.json()["has_completed_onboarding_for"]) == (200, done)
    refusal = act(reader, cast, "complete_product_onboarding", {"product_type": "persons", "name": "New"})
    expected = refused("API key missing required scope 'project:write'")
    assert (refusal.status_code, refusal.json()) == (403, expected)
    cast.web.refresh_from_db()
    assert (cast.web.name, ProductIntent.objects.count()) == ("Web", 1)


ACTIONS = (
    "complete_product_onboarding",
    "delete_secret_token_backup",
    "generate_conversations_public_token",
    "reset_token",
    "rotate_secret_token",
)


@pytest.mark.parametrize("action", ACTIONS)
def test_the_fields_of_the_body_are_applied_first(cast: Cast, alice: Caller, action: str):
    sent = {"name": "New", "conversations_settings": {"color": 1}, "organization": "string", "api_token": "phc_mine"}
    body = act(alice, cast, action, sent).json()
    assert (body["name"], body["conversations_settings"]["color"]) == ("New", 1)
    assert body["organization"] == str(cast.acme.pk)
    assert body["api_token"] != "phc_mine"


@pytest.mark.parametrize("action", ACTIONS)
def test_an_invalid_field_prevents_the_action(cast: Cast, alice: Caller, action: str):
    act(alice, cast, "rotate_secret_token")
    act(alice, cast, "rotate_secret_token")
    before, rows = alice.get(url(cast)).json(), ActivityLog.objects.count()
    response = act(alice, cast, action, {"name": "New", "timezone": "Mars", "product_type": "surveys"})
    expected = invalid("invalid_choice", '"Mars" is not a valid choice.', "timezone")
    assert (response.status_code, response.json()) == (400, expected)
    after = alice.get(url(cast)).json()
    assert {**after, "live_events_token": 0} == {**before, "live_events_token": 0}
    assert ActivityLog.objects.count() == rows


@pytest.mark.parametrize("action", ACTIONS)
def test_forms_and_empty_bodies_are_read(cast: Cast, alice: Caller, action: str):
    assert act(alice, cast, action, "organization=string", content_type=FORM).status_code == 200
    response = act(alice, cast, action, "name=From+a+form&app_urls=https://a&app_urls=https://b", content_type=FORM)
    assert (response.json()["name"], response.json()["app_urls"]) == ("From a form", ["https://a", "https://b"])
    assert act(alice, cast, action, "").status_code == 200
    listed = act(alice, cast, action, [])
    expected = invalid("invalid_input", "Invalid data. Expected a dictionary, but got list.")
    assert (listed.status_code, listed.json()) == (400, expected)


@pytest.mark.parametrize("action", ACTIONS[1:])
def test_a_member_cannot_touch_tokens(cast: Cast, action: str):
    before = cast.web.api_token
    response = act(cast.caller(cast.carol), cast, action, {"name": "New"})
    expected = refused("You don't have sufficient permissions in the project.")
    assert (response.status_code, response.json()) == (403, expected)
    cast.web.refresh_from_db()
    assert (cast.web.api_token, cast.web.name, cast.web.secret_api_token) == (before, "Web", None)


def test_the_token_that_was_reset_is_nobodys(cast: Cast, alice: Caller):
    old = cast.web.api_token
    act(alice, cast, "reset_token")
    assert not Project.objects.filter(api_token=old).exists()


def test_another_verb_is_not_allowed(cast: Cast, alice: Caller):
    response = alice.get(url(cast, "reset_token"))
    expected = error("invalid_request", "method_not_allowed", 'Method "GET" not allowed.')
    assert (response.status_code, response.json()) == (405, expected)
    assert response["Allow"] == "PATCH, OPTIONS"
