from django.test.utils import CaptureQueriesContext

from core6.activity.models import ActivityLog
from core6.analytics.models import Dashboard, Insight
from tests.conftest import Caller, Cast, missing, refused
from tests.support.urls import annotations_url as url


def test_create_and_update_write_one_row_each(cast: Cast, alice: Caller):
    dashboard = Dashboard.objects.create(project=cast.web, name="Launch")
    insight = Insight.objects.create(project=cast.web, name="Signups")
    created = alice.post(url(cast), {"content": "a", "dashboard_id": dashboard.pk, "scope": "project"}).json()
    changed = {"content": "b", "dashboard_item": insight.pk, "dashboard_id": None, "date_marker": "2026-01-01"}
    cast.caller(cast.bob).patch(url(cast, created), {**changed, "scope": "project"})
    response = alice.get(url(cast, created, rest="activity/"))
    assert response.status_code == 200
    body = response.json()
    assert list(body) == ["results", "next", "previous", "total_count"]
    assert (body["next"], body["previous"], body["total_count"]) == (None, None, 2)
    updated, first = body["results"]
    common = {"scope": "Annotation", "item_id": str(created["id"])}
    nothing = {"short_id": None, "trigger": None, "type": None}
    assert {**first, "id": 0, "created_at": 0} == {
        **common,
        "id": 0,
        "user": {"first_name": "Alice", "email": "alice@example.com"},
        "activity": "created",
        "detail": {
            "changes": None,
            "name": "a",
            **nothing,
            "context": {
                "scope": "project",
                "dashboard_id": dashboard.pk,
                "dashboard_name": "Launch",
                "dashboard_item_id": None,
                "dashboard_item_short_id": None,
                "dashboard_item_name": None,
            },
        },
        "created_at": 0,
    }
    assert updated["user"] == {"first_name": "Bob", "email": "bob@example.com"}
    assert updated["activity"] == "updated"
    assert updated["detail"]["changes"] == [
        {"type": "Annotation", "action": "changed", "field": "content", "before": "a", "after": "b"},
        {
            "type": "Annotation",
            "action": "created",
            "field": "date_marker",
            "before": None,
            "after": "2026-01-01T00:00:00Z",
        },
        {
            "type": "Annotation",
            "action": "created",
            "field": "dashboard_item",
            "before": None,
            "after": insight.pk,
        },
        {"type": "Annotation", "action": "deleted", "field": "dashboard_id", "before": dashboard.pk, "after": None},
    ]
    assert updated["detail"]["context"]["dashboard_item_short_id"] == insight.short_id


def test_what_changes_nothing_or_is_refused_writes_none(cast: Cast, alice: Caller):
    created = alice.post(url(cast), {"content": "a"}).json()
    alice.patch(url(cast, created), {"content": "a"})
    alice.patch(url(cast, created), {})
    alice.patch(url(cast, created), {"content": "b", "scope": "nope"})
    alice.post(url(cast), {"scope": "nope"})
    assert ActivityLog.objects.count() == 1


def test_the_projects_activity_is_paged_newest_first(cast: Cast, alice: Caller):
    for i in range(12):
        alice.post(url(cast), {"content": str(i)})
    alice.post(f"/api/projects/{cast.app.pk}/annotations/", {"content": "elsewhere"})
    first = alice.get(url(cast, rest="activity/")).json()
    assert [row["detail"]["name"] for row in first["results"]] == [str(i) for i in range(11, 1, -1)]
    assert first["total_count"] == 12
    assert first["next"] == f"http://testserver{url(cast, rest='activity/')}?page=2"
    assert [row["detail"]["name"] for row in alice.client.get(first["next"]).json()["results"]] == ["1", "0"]
    assert len(alice.get(url(cast, rest="activity/"), limit=5, page=2).json()["results"]) == 5
    assert alice.get(url(cast, rest="activity/"), page=99).status_code == 404


def test_the_activity_of_a_deleted_annotation_stays_readable(cast: Cast, alice: Caller):
    created = alice.post(url(cast), {}).json()
    alice.patch(url(cast, created), {"deleted": True})
    assert alice.get(url(cast, created, rest="activity")).json()["total_count"] == 2


def test_unknown_and_foreign_annotations_have_none(cast: Cast, alice: Caller):
    dave = cast.caller(cast.dave)
    theirs = dave.post(f"/api/projects/{cast.globex_web.pk}/annotations/", {"scope": "organization"}).json()
    for key in (theirs["id"], 999999, "nope"):
        response = alice.get(url(cast, key, rest="activity/"))
        assert (response.status_code, response.json()) == (404, missing())
    assert alice.get(url(cast, rest="activity/")).json()["total_count"] == 0


def test_a_caller_needs_the_scope_of_the_activity(cast: Cast):
    carol = cast.caller(cast.carol, "annotation:write")
    response = carol.get(url(cast, rest="activity/"))
    assert (response.status_code, response.json()) == (
        403,
        refused("API key missing required scope 'activity_log:read'"),
    )
    assert cast.caller(cast.carol, "activity_log:read").get(url(cast, rest="activity/")).status_code == 200


def test_the_activity_takes_three_queries(cast: Cast, alice: Caller, queries: CaptureQueriesContext):
    alice.post(url(cast), {})
    for _ in range(2):
        with queries:
            alice.get(url(cast, rest="activity/"))
        assert len(queries) == 3  # the key with the project; count; page with its users
        for _ in range(9):
            alice.post(url(cast), {})
