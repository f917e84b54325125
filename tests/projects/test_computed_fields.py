from datetime import UTC, datetime, timedelta

import jwt
import pytest
import time_machine

from core6.analytics.models import Dashboard, GroupType
from core6.security.encryption import signing_key
from projects.models import ProductIntent, Project
from tests.conftest import Caller, Cast
from tests.support.stored import store
from tests.support.urls import projects_url as url


@pytest.mark.parametrize(("name", "level"), [("carol", 1), ("bob", 8), ("alice", 15)])
def test_the_effective_level_is_the_callers(cast: Cast, name: str, level: int):
    caller = cast.caller(getattr(cast, name))
    assert caller.get(url(cast, cast.web)).json()["effective_membership_level"] == level
    assert caller.patch(url(cast, cast.web), {}).json()["effective_membership_level"] == level


@pytest.mark.parametrize("name", ["carol", "alice"])
def test_the_live_events_token_is_the_callers_and_good_for_7_days(cast: Cast, name: str):
    user = getattr(cast, name)
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        token = cast.caller(user).get(url(cast, cast.web)).json()["live_events_token"]
        claims = jwt.decode(token, signing_key("live_events"), algorithms=["HS256"], audience="posthog:livestream")
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    assert claims == {
        "team_id": cast.web.pk,
        "api_token": cast.web.api_token,
        "user_id": user.pk,
        "organization_id": str(cast.acme.pk),
        "aud": "posthog:livestream",
        "exp": int((datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(days=7)).timestamp()),
    }


def test_group_types_are_sorted_by_index(cast: Cast, alice: Caller):
    dashboard = Dashboard.objects.create(project=cast.web)
    made = datetime(2026, 3, 1, tzinfo=UTC)
    GroupType.objects.create(project=cast.web, group_type="team", group_type_index=1, created_at=made)
    GroupType.objects.create(
        project=cast.web,
        group_type="company",
        group_type_index=0,
        name_singular="Company",
        name_plural="Companies",
        default_columns=["name"],
        detail_dashboard=dashboard,
        created_at=made,
    )
    GroupType.objects.create(project=cast.app, group_type="elsewhere", group_type_index=0)
    body = alice.get(url(cast, cast.web)).json()
    assert body["has_group_types"] is True
    assert body["group_types"] == [
        {
            "group_type": "company",
            "group_type_index": 0,
            "name_singular": "Company",
            "name_plural": "Companies",
            "default_columns": ["name"],
            "detail_dashboard": dashboard.pk,
            "created_at": "2026-03-01T00:00:00Z",
        },
        {
            "group_type": "team",
            "group_type_index": 1,
            "name_singular": None,
            "name_plural": None,
            "default_columns": None,
            "detail_dashboard": None,
            "created_at": "2026-03-01T00:00:00Z",
        },
    ]


def test_product_intents_are_shown_without_their_contexts(cast: Cast, alice: Caller):
    with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC), tick=False):
        ProductIntent.objects.create(
            project=cast.web,
            product_type="surveys",
            contexts={"taxonomic filter empty state": 2},
            onboarding_completed_at=datetime(2026, 2, 1, tzinfo=UTC),
        )
        ProductIntent.objects.create(project=cast.app, product_type="heatmaps")
    assert alice.get(url(cast, cast.web)).json()["product_intents"] == [
        {
            "product_type": "surveys",
            "created_at": "2026-03-01T00:00:00Z",
            "onboarding_completed_at": "2026-02-01T00:00:00Z",
            "updated_at": "2026-03-01T00:00:00Z",
        }
    ]


def test_product_intents_keep_their_order_when_one_is_updated(cast: Cast, alice: Caller):
    names = ["surveys", "heatmaps", "actions", "cohorts", "persons", "alerts", "links", "max"]
    # Large rows, so that the updated one finds no room beside the others.
    rows = [ProductIntent(project=cast.web, product_type=name, contexts={"x" * 1500: 1}) for name in names]
    for row in [*rows, rows[0]]:
        row.save()
    intents = alice.get(url(cast, cast.web)).json()["product_intents"]
    assert [intent["product_type"] for intent in intents] == names


def test_secret_tokens_are_shown_in_clear_to_every_member(cast: Cast):
    project = Project.objects.get(pk=cast.web.pk)
    project.secret_api_token, project.secret_api_token_backup = "phs_new", "phs_old"
    project.save()
    body = cast.caller(cast.carol).get(url(cast, cast.web)).json()
    assert (body["secret_api_token"], body["secret_api_token_backup"]) == ("phs_new", "phs_old")


def test_the_sample_rate_is_text_with_two_places(cast: Cast, alice: Caller):
    store(cast.web, session_recording_sample_rate="0.4")
    assert alice.get(url(cast, cast.web)).json()["session_recording_sample_rate"] == "0.40"
