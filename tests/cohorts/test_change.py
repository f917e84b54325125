from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from cohorts.models import Cohort
from core6.activity.models import ActivityLog
from core6.analytics.models import Experiment, Insight
from tests.conftest import Caller, Cast, invalid
from tests.support.cohorts.people import all_of, leaf, waiting, work
from tests.support.urls import cohorts_url as url

SUPPORTED = (
    "use an ActorsQuery with `properties` of persons, or SELECT person_id FROM cohort_people WHERE cohort_id = <id>."
)


def create(cast: Cast, alice: Caller, **fields: Any) -> dict:
    response = alice.post(url(cast), fields)
    assert response.status_code == 201, response.json()
    return response.json()


def refer(*cohorts: dict) -> dict:
    return all_of(*({"type": "cohort", "key": "id", "value": each["id"]} for each in cohorts))


@pytest.mark.parametrize(
    ("sent", "code", "detail", "attr"),
    [
        ({"name": "x" * 401}, "max_length", "Ensure this field has no more than 400 characters.", "name"),
        ({"name": []}, "invalid_input", "Not a valid string.", "name"),
        (
            {"description": "x" * 1001},
            "max_length",
            "Ensure this field has no more than 1000 characters.",
            "description",
        ),
        ({"description": None}, "null", "This field may not be null.", "description"),
        ({"groups": None}, "null", "This field may not be null.", "groups"),
        ({"is_static": None}, "null", "This field may not be null.", "is_static"),
        ({"deleted": "maybe"}, "invalid_input", "Must be a valid boolean.", "deleted"),
        ({"cohort_type": "zzz"}, "invalid_choice", '"zzz" is not a valid choice.', "cohort_type"),
        (
            {"_create_static_person_ids": "x"},
            "not_a_list",
            'Expected a list of items but got type "str".',
            "_create_static_person_ids",
        ),
        ({"_create_static_person_ids": [{}]}, "invalid_input", "Not a valid string.", "_create_static_person_ids__0"),
        (
            {"is_static": True, "_create_static_person_ids": ["x"]},
            "invalid_input",
            "Every id must be a valid UUID of a person.",
            "_create_static_person_ids",
        ),
        (
            {"filters": "x"},
            "invalid_input",
            "Must contain a 'properties' key with type and values",
            "filters__detail",
        ),
        (
            {"filters": all_of({"type": "person", "key": "a", "value": 1})},
            "invalid_input",
            "Missing required keys for person filter: operator",
            "filters",
        ),
        (
            {"filters": all_of(leaf("a", value=1)), "query": {"kind": "ActorsQuery"}, "is_static": True},
            "invalid_input",
            "Cannot set both query and filters at the same time.",
            None,
        ),
        (
            {"query": {"kind": "ActorsQuery"}},
            "invalid_input",
            "Cannot create a dynamic cohort with a query. Set is_static to true.",
            None,
        ),
        ({"query": [1]}, "invalid_input", "Query must be a dictionary.", "query"),
        (
            {"query": {"kind": "EventsQuery"}, "is_static": True},
            "invalid_input",
            "Query must be an ActorsQuery or HogQLQuery. Got: EventsQuery",
            "query",
        ),
        (
            {"query": {"kind": "HogQLQuery", "query": "select 1"}, "is_static": True},
            "invalid_input",
            f"This HogQL cannot be computed here: {SUPPORTED}",
            "query",
        ),
        (
            {"query": {"kind": "ActorsQuery", "source": {"kind": "Funnels"}}, "is_static": True},
            "invalid_input",
            f"'source' cannot be computed here: {SUPPORTED}",
            "query",
        ),
        (
            {"cohort_type": "behavioral", "filters": all_of(leaf("a", value=1))},
            "invalid_input",
            "Cohort type 'behavioral' does not match the filters. Expected type: 'person_property'",
            "cohort_type",
        ),
        ({"cohort_type": "behavioral"}, "invalid_input", "Invalid cohort type for the given filters", "cohort_type"),
    ],
)
def test_refused_bodies_leave_no_trace(cast: Cast, alice: Caller, sent: dict, code: str, detail: str, attr: str | None):
    response = alice.post(url(cast), sent)
    assert (response.status_code, response.json()) == (400, invalid(code, detail, attr))
    assert not Cohort.objects.exists()
    assert waiting() == []
    assert not ActivityLog.objects.exists()
    cohort = create(cast, alice, is_static=bool(sent.get("is_static")))
    ActivityLog.objects.all().delete()
    work()
    before = alice.get(url(cast, cohort)).json()
    assert alice.patch(url(cast, cohort), sent).status_code == 400
    assert alice.get(url(cast, cohort)).json() == before
    assert (waiting(), ActivityLog.objects.count()) == ([], 0)


def test_a_whole_cohort_can_be_sent_back_and_copied(cast: Cast, alice: Caller):
    cohort = create(cast, alice, name="A", filters=all_of(leaf("a", value=1)), _create_in_folder="Mine")
    work()
    body = alice.get(url(cast, cohort)).json()
    assert body["cohort_type"] == "realtime"
    echo = alice.patch(url(cast, cohort), body)
    assert echo.status_code == 200
    moved = {"pending_version": 2, "is_calculating": True}
    assert echo.json() == {**body, **moved}
    copy = alice.post(url(cast), body)
    assert copy.status_code == 201
    assert copy.json()["id"] != body["id"]
    assert copy.json()["_create_in_folder"] == "Mine"


def test_groups_of_a_new_cohort_become_filters(cast: Cast, alice: Caller):
    body = create(cast, alice, groups=[{"properties": {"team_id": "5"}}])
    assert body["filters"] == {
        "properties": {
            "type": "OR",
            "values": [{"type": "AND", "values": [{"key": "team_id", "value": "5", "type": "person"}]}],
        }
    }
    assert sorted(body["groups"][0]) == sorted(
        "properties action_id event_id label days count count_operator start_date end_date".split()
    )
    work()
    assert alice.get(url(cast, body)).json()["errors_calculating"] == 0


def test_unknown_references_and_loops_are_refused_in_changes(cast: Cast, alice: Caller):
    a = create(cast, alice, filters=all_of(leaf("a", value=1)))
    b = create(cast, alice, filters=refer(a))
    c = create(cast, alice, filters=refer(a, b))
    work()
    for target, filters in ((a, refer(a)), (a, refer(b)), (a, refer(c)), (b, refer(c))):
        for method in ("PATCH", "PUT"):
            response = alice.request(method, url(cast, target), {"filters": filters})
            expected = invalid("invalid_input", "Cohorts cannot reference other cohorts in a loop.")
            assert (response.status_code, response.json()) == (400, expected)
    for unknown in ({"id": 999999}, {"id": 10**40}):
        response = alice.patch(url(cast, a), {"filters": refer(unknown)})
        assert response.json() == invalid("invalid_input", "Invalid Cohort ID in filter")
        assert alice.post(url(cast), {"filters": refer(unknown)}).status_code == 201
    assert alice.patch(url(cast, c), {"filters": refer(a, b)}).status_code == 200


def test_a_cohort_of_another_project_cannot_be_named_in_a_change(cast: Cast, alice: Caller):
    theirs = Cohort.objects.create(project=cast.globex_web)
    mine = create(cast, alice, filters=all_of(leaf("a", value=1)))
    response = alice.patch(url(cast, mine), {"filters": refer({"id": theirs.pk})})
    assert response.json() == invalid("invalid_input", "Invalid Cohort ID in filter")


def test_deleting_hides_and_restoring_computes_again(cast: Cast, alice: Caller):
    cohort = create(cast, alice, filters=all_of(leaf("a", value=1)))
    work()
    Experiment.objects.create(project=cast.web, name="E", exposure_cohort_id=cohort["id"])
    deleted = alice.patch(url(cast, cohort), {"deleted": True})
    assert (deleted.status_code, deleted.json()["deleted"], deleted.json()["experiment_set"]) == (200, True, [])
    assert (waiting(), deleted.json()["is_calculating"]) == ([], False)
    assert alice.get(url(cast)).json()["count"] == 0
    assert alice.get(url(cast, cohort)).json()["deleted"] is True
    alice.patch(url(cast, cohort), {"deleted": True})
    assert waiting() == []
    restored = alice.patch(url(cast, cohort), {"deleted": False}).json()
    assert (restored["deleted"], restored["is_calculating"]) == (False, True)
    verbs = ActivityLog.objects.filter(item_id=cohort["id"]).order_by("created_at").values_list("activity", flat=True)
    assert list(verbs) == ["created", "deleted", "restored"]


def test_what_is_used_cannot_be_deleted(cast: Cast, alice: Caller):
    cohort = create(cast, alice, name="Base", filters=all_of(leaf("a", value=1)))
    end = "before deleting it."
    for i in range(7):
        create(cast, alice, name=f"C{i}", filters=refer(cohort))
    other = invalid(
        "invalid_input",
        "This cohort is used as criteria in 7 other cohort(s): C0, C1, C2, C3, C4, and 2 more."
        f" Please remove this cohort from those cohort definitions {end}",
    )
    assert alice.patch(url(cast, cohort), {"deleted": True}).json() == other
    Insight.objects.create(
        project=cast.web, name="I1", query={"a": [{"type": "cohort", "key": "id", "value": cohort["id"]}]}
    )
    Insight.objects.create(
        project=cast.web, name="I2", query={"x": {"breakdown_type": "cohort", "breakdown": [cohort["id"]]}}
    )
    Insight.objects.create(project=cast.app, name="I3", query={"type": "cohort", "key": "id", "value": cohort["id"]})
    insight = invalid(
        "invalid_input",
        f"This cohort is used in 2 insight(s): I1, I2. Please remove the cohort from these insights {end}",
    )
    assert alice.patch(url(cast, cohort), {"deleted": True}).json() == insight
    cast.web.test_account_filters = [{"type": "cohort", "key": "id", "value": cohort["id"], "operator": "not_in"}]
    cast.web.save()
    project = alice.patch(url(cast, cohort), {"deleted": True}).json()
    assert project["detail"].startswith(
        "This cohort is used in 'Filter out internal and test users' for 1 environment(s): Web."
    )
    assert alice.get(url(cast, cohort)).json()["deleted"] is False


def test_activity_lists_what_changed(cast: Cast, alice: Caller):
    cohort = create(cast, alice, name="A")
    alice.patch(url(cast, cohort), {"name": "B", "description": "text"})
    updated, created = alice.get(url(cast, cohort, "activity/")).json()["results"]
    assert (created["activity"], created["detail"]["changes"], created["detail"]["name"]) == ("created", None, "A")
    assert (updated["activity"], updated["scope"], updated["item_id"]) == ("updated", "Cohort", str(cohort["id"]))
    assert updated["detail"]["changes"] == [
        {"type": "Cohort", "action": "changed", "field": "name", "before": "A", "after": "B"},
        {"type": "Cohort", "action": "changed", "field": "description", "before": "", "after": "text"},
    ]
    assert alice.get(url(cast) + "activity/").json()["total_count"] == 2


def test_delete_is_405_without_a_body(cast: Cast, alice: Caller):
    cohort = create(cast, alice)
    for path in (url(cast, cohort), f"{url(cast)}999999"):
        response = alice.delete(path)
        assert (response.status_code, response.content) == (405, b"")
        assert "DELETE" not in response["Allow"]


def test_cohorts_of_elsewhere_are_not_found(cast: Cast, alice: Caller):
    for project in (cast.app, cast.globex_web):
        theirs = {"id": Cohort.objects.create(project=project, is_static=True).pk}
        assert alice.get(url(cast, theirs)).status_code == 404
        assert alice.patch(url(cast, theirs), {"name": "mine"}).status_code == 404
        for rest in ("persons/", "calculation_history/", "activity/"):
            assert alice.get(url(cast, theirs, rest)).status_code == 404
        body = {"person_ids": ["x"], "person_id": "x"}
        for rest in ("add_persons_to_static_cohort/", "remove_person_from_static_cohort/"):
            assert alice.patch(url(cast, theirs, rest), body).status_code == 404


def test_changes_take_a_constant_number_of_queries(cast: Cast, alice: Caller, queries: CaptureQueriesContext):
    cohort = create(cast, alice, filters=all_of(leaf("a", value=1)))
    alice.patch(url(cast, cohort), {"name": "0"})
    work()
    counts = []
    for rows in (1, 10):
        for _ in range(rows):
            create(cast, alice, filters=all_of(leaf("a", value=1)))
        with queries:
            alice.patch(url(cast, cohort), {"name": str(rows)})
        counts.append(len(queries))
        work()
    # key with project; savepoint; advisory lock; the locked cohort; update with activity; references; related ones;
    # their state; organization, waiting job, its turn, job; the cohort's state; release
    assert counts == [14, 14]
