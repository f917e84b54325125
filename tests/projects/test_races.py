from typing import Any

import pytest

from core6.activity.models import ActivityLog
from projects.models import ProductIntent, Project
from tests.conftest import Caller, Cast, at_once
from tests.support.urls import action_url as url

THREADS = 16


@pytest.mark.django_db(transaction=True)
def test_a_hundred_and_sixty_rotations_lose_none(committed_cast: Cast):
    cast = committed_cast
    key = cast.key(cast.alice)

    def rotate(_: int) -> list[tuple[str, str | None]]:
        pairs = []
        for _ in range(10):
            response = Caller(key).patch(url(cast, "rotate_secret_token"), {})
            assert response.status_code == 200
            pairs.append((response.json()["secret_api_token"], response.json()["secret_api_token_backup"]))
        return pairs

    pairs = [pair for of_thread in at_once(THREADS, rotate) for pair in of_thread]
    tokens = {token for token, _ in pairs}
    assert len(tokens) == 160
    # Each acknowledged token but the last became the backup of exactly one other: the order of commits is a chain.
    backups = [backup for _, backup in pairs if backup]
    assert len(set(backups)) == 159
    assert set(backups) < tokens
    cast.web.refresh_from_db()
    last = (tokens - set(backups)).pop()
    assert (cast.web.secret_api_token, cast.web.secret_api_token_backup) == next(p for p in pairs if p[0] == last)
    assert ActivityLog.objects.filter(scope="Team", activity="updated").count() == 160


@pytest.mark.django_db(transaction=True)
def test_sixteen_patches_of_different_fields_lose_none(committed_cast: Cast):
    cast = committed_cast
    key = cast.key(cast.alice)
    sent: list[dict[str, Any]] = [
        {"name": "New"},
        {"product_description": "Text"},
        {"app_urls": ["https://a"]},
        {"anonymize_ips": True},
        {"timezone": "Europe/Berlin"},
        {"session_recording_sample_rate": "0.50"},
        {"week_start_day": 1},
        {"business_model": "b2b"},
        {"surveys_opt_in": True},
        {"heatmaps_opt_in": True},
        {"correlation_config": {"a": 1}},
        {"recording_domains": ["https://b"]},
        {"survey_config": {"one": 1}},
        {"survey_config": {"two": 2}},
        {"modifiers": {"debug": True}},
        {"modifiers": {"timings": True}},
    ]
    assert at_once(THREADS, lambda number: Caller(key).patch(url(cast), sent[number]).status_code) == [200] * THREADS
    kept = Caller(key).get(url(cast)).json()
    merged = {"survey_config": {"one": 1, "two": 2}, "modifiers": {"debug": True, "timings": True}}
    for name, value in {name: value for fields in sent for name, value in fields.items()}.items():
        assert kept[name] == merged.get(name, value)


@pytest.mark.django_db(transaction=True)
def test_an_intent_counts_every_call(committed_cast: Cast):
    cast = committed_cast
    key = cast.key(cast.alice)
    sent = {"product_type": "surveys", "intent_context": "experiment created"}
    path = url(cast, "complete_product_onboarding")
    assert at_once(THREADS, lambda _: Caller(key).patch(path, sent).status_code) == [200] * THREADS
    assert ProductIntent.objects.get().contexts == {"experiment created": THREADS}


@pytest.mark.django_db(transaction=True)
def test_a_project_that_is_deleted_meanwhile_is_not_found(committed_cast: Cast):
    cast = committed_cast
    key = cast.key(cast.alice)

    def change(number: int) -> int:
        caller = Caller(key)
        return caller.delete(url(cast)).status_code if number == 0 else caller.patch(url(cast), {}).status_code

    assert set(at_once(THREADS, change)) <= {200, 204, 404}
    assert not Project.objects.filter(pk=cast.web.pk).exists()
