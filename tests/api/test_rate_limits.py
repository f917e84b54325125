"""Rate limits (D16): off by default; exact however many call at once; named in every answer."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotations.models import Annotation
from core6.rate_limits.models import Window, count_call
from tests.conftest import Caller, Cast, at_once
from tests.support.settings import python

LIMITS = {60: 3, 3600: 5}


@pytest.fixture
def limits(settings) -> dict[int, int]:
    settings.RATE_LIMITS = dict(LIMITS)
    return settings.RATE_LIMITS


@pytest.fixture(params=["fast", "ordinary"])
def call(request, cast: Cast) -> Any:
    """Read the annotations either way."""
    accept = {"fast": "application/json", "ordinary": "application/json;q=0.9"}[request.param]
    path = f"/api/projects/{cast.web.pk}/annotations/"
    return lambda caller: caller.client.get(path, headers={"Accept": accept})


def forget(**seconds: Any) -> None:
    Window.objects.filter(**seconds).update(started="2026-01-01T00:00Z")


def test_the_limits_are_the_documented_ones(tmp_path):
    code = "import core6.settings; print(core6.settings.RATE_LIMITS)"
    given = {"CORE6_DATA_DIR": str(tmp_path)}
    assert python(code, RATE_LIMIT_ENABLED="true", **given).stdout.strip() == "{60: 480, 3600: 4800}"
    assert python(code, **given).stdout.strip() == "{}"


def test_without_limits_nothing_is_counted(alice: Caller, call: Any):
    answer = call(alice)
    assert "RateLimit" not in answer
    assert "RateLimit-Policy" not in answer
    assert not Window.objects.exists()


def test_every_answer_says_what_is_left(limits, alice: Caller, call: Any):
    answer = call(alice)
    assert answer["RateLimit-Policy"] == '"minute";q=3;w=60, "hour";q=5;w=3600'
    found = re.fullmatch(r'"minute";r=2;t=(\d+), "hour";r=4;t=(\d+)', answer["RateLimit"])
    assert found
    assert 1 <= int(found[1]) <= 60
    assert 1 <= int(found[2]) <= 3600


def test_one_call_too_many_is_refused(limits, alice: Caller, call: Any):
    assert [call(alice).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    refused = call(alice)
    wait = int(refused["Retry-After"])
    assert 1 <= wait <= 3600
    assert refused.json() == {
        "type": "throttled_error",
        "code": "throttled",
        "detail": f"Request was throttled. Expected available in {wait} second{'s' * (wait > 1)}.",
        "attr": None,
    }
    assert '"minute";r=0;' in refused["RateLimit"]


def test_the_count_begins_anew_with_the_window(limits, alice: Caller, call: Any):
    assert [call(alice).status_code for _ in range(4)] == [200, 200, 200, 429]
    forget(seconds=60)
    assert call(alice).status_code == 200
    assert call(alice).status_code == 429  # the hour, which counts every call
    forget()
    assert call(alice).status_code == 200


def test_keys_are_counted_apart(limits, cast: Cast, call: Any):
    alice, other, bob = cast.caller(cast.alice), cast.caller(cast.alice), cast.caller(cast.bob)
    for caller in (alice, other, bob):
        assert [call(caller).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_refusals_of_no_key_are_not_counted(limits, cast: Cast, call: Any):
    assert [call(Caller("phx_nobody")).status_code for _ in range(4)] == [401] * 4
    assert not Window.objects.exists()


def test_a_refused_write_happened_not(limits, cast: Cast, alice: Caller):
    path = f"/api/projects/{cast.web.pk}/annotations/"
    statuses = [alice.post(path, {"content": str(n), "scope": "project"}).status_code for n in range(5)]
    assert statuses == [201, 201, 201, 429, 429]
    assert Annotation.objects.count() == 3


def test_errors_say_what_is_left_too(limits, cast: Cast, alice: Caller):
    answer = alice.post(f"/api/projects/{cast.web.pk}/annotations/", {"scope": "nowhere"})
    assert answer.status_code == 400
    assert '"minute";r=2;' in answer["RateLimit"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/api/projects/{foreign}/annotations/", 403),
        ("get", "/api/projects/999999/annotations/", 404),
        ("get", "/api/projects/{web}/annotations/999999/", 404),
        ("get", "/api/organizations/{organization}/roles/", 403),
        ("delete", "/api/projects/{web}/annotations/", 405),
        ("post", "/api/projects/{web}/annotations/", 403),
    ],
)
def test_refused_calls_count(limits, cast: Cast, method: str, path: str, status: int):
    caller = cast.caller(cast.carol, "annotation:read")
    ids = {"foreign": cast.globex_web.pk, "web": cast.web.pk, "organization": cast.acme.pk}
    statuses = [getattr(caller, method)(path.format(**ids)).status_code for _ in range(5)]
    assert statuses == [status, status, status, 429, 429]
    answer = getattr(caller, method)(path.format(**ids))
    assert int(answer["Retry-After"]) >= 1
    assert '"minute";r=0;' in answer["RateLimit"]


def test_a_refusal_that_was_counted_says_what_is_left(limits, cast: Cast):
    answer = cast.caller(cast.carol, "annotation:read").get(f"/api/projects/{cast.globex_web.pk}/annotations/")
    assert answer.status_code == 403
    assert '"minute";r=2;' in answer["RateLimit"]


def test_counting_takes_one_query(limits, alice: Caller, call: Any, queries: CaptureQueriesContext):
    call(alice)
    with queries:
        call(alice)
    assert len([each for each in queries if "rate_limits_window" in each["sql"]]) == 1


def test_sixteen_at_once_are_counted_exactly(committed_cast: Cast, settings):
    cast = committed_cast
    settings.RATE_LIMITS = {60: 100, 3600: 100}
    alice = cast.caller(cast.alice)
    path = f"/api/projects/{cast.web.pk}/annotations/"

    def work(number: int) -> list[int]:
        return [alice.get(path).status_code for _ in range(10)]

    statuses = [status for each in at_once(16, work) for status in each]
    assert (statuses.count(200), statuses.count(429)) == (100, 60)


def test_a_late_call_from_the_window_before_counts_in_this_one(db):
    count_call("key", {60: 10})
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rate_limits_window SET started = started + interval '60 seconds'")
    (use,) = count_call("key", {60: 10})
    assert use.calls == 2


def test_a_crash_may_forget_what_was_counted(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'rate_limits_window'")
        assert cursor.fetchone() == ("u",)
