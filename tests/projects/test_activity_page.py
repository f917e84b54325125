from projects.models import Project
from tests.conftest import Caller, Cast
from tests.support.stored import DURATION
from tests.support.urls import projects_url as url


def test_the_activity_of_a_project_is_its_team_rows_newest_first(cast: Cast, alice: Caller):
    alice.patch(url(cast, cast.web), {"timezone": "EST"})
    cast.caller(cast.carol).patch(url(cast, cast.web), {"name": "Shop", "anonymize_ips": True})
    alice.patch(url(cast, cast.web), {"survey_config": {"a": 1}})
    alice.patch(url(cast, cast.app), {"timezone": "EST"})
    body = alice.get(url(cast, cast.web, "activity/")).json()
    assert list(body) == ["results", "next", "previous", "total_count"]
    assert (body["next"], body["previous"], body["total_count"]) == (None, None, 3)
    assert [row["detail"]["changes"][0]["field"] for row in body["results"]] == [
        "survey_config",
        "anonymize_ips",
        "timezone",
    ]
    row = body["results"][1]
    assert row == {
        "id": row["id"],
        "user": {"first_name": "Carol", "email": "carol@example.com"},
        "activity": "updated",
        "scope": "Team",
        "item_id": str(cast.web.pk),
        "detail": {
            "changes": [
                {"type": "Team", "action": "changed", "field": "anonymize_ips", "before": False, "after": True}
            ],
            "name": "Shop",
            "short_id": None,
            "trigger": None,
            "type": None,
        },
        "created_at": row["created_at"],
    }


def test_the_activity_begins_with_the_creation(cast: Cast, alice: Caller):
    project = Project.objects.get(pk=alice.post(url(cast), {"name": "New"}).json()["id"])
    (row,) = alice.get(url(cast, project, "activity/")).json()["results"]
    assert (row["activity"], row["detail"]["name"], row["detail"]["changes"]) == ("created", "New", None)


def test_the_activity_is_paged(cast: Cast, alice: Caller):
    for i in range(12):
        alice.patch(url(cast, cast.web), {DURATION: i})
    first = alice.get(url(cast, cast.web, "activity/")).json()
    assert (len(first["results"]), first["total_count"]) == (10, 12)
    assert first["next"] == f"http://testserver{url(cast, cast.web, 'activity/')}?page=2"
    second = alice.client.get(first["next"]).json()
    assert [row["detail"]["changes"][0]["after"] for row in second["results"]] == [1, 0]
    assert len(alice.get(url(cast, cast.web, "activity/"), limit=5, page=3).json()["results"]) == 2
