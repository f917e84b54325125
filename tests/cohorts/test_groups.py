"""The older form of criteria, `groups`, over the API (D63)."""

from typing import Any

import pytest
from django.db import connection

from cohorts.models import Cohort
from tests.conftest import Caller, Cast
from tests.support.cohorts.people import all_of, leaf, members, person, work
from tests.support.urls import cohorts_url as url

EVENT = {"type": "behavioral", "key": "e", "value": "performed_event", "event_type": "events"}


def of(*leaves: Any) -> list[dict[str, Any]]:
    return [{"properties": list(leaves)}]


def refer(key: int) -> list[dict[str, Any]]:
    return of({"type": "cohort", "key": "id", "value": key})


def create(cast: Cast, alice: Caller, **body: Any) -> dict[str, Any]:
    response = alice.post(url(cast), body)
    assert response.status_code == 201, response.json()
    return response.json()


@pytest.mark.parametrize(
    ("groups", "detail"),
    [
        (of({"value": "x"}), "Missing required keys for person filter: key"),
        (of({"key": "a"}), "Missing required keys for person filter: value"),
        (of({"key": "a", "value": None, "operator": "exact"}), "Missing required keys for person filter: value"),
        (of({"key": 5, "value": "x"}), "string_type"),
        (of({"key": "a", "value": "x", "type": "element"}), "union_tag_invalid"),
        (of({"key": "seen", "value": "soon", "operator": "is_date_after"}), "Invalid date value 'soon'"),
        (of({"type": "cohort", "key": "id", "value": "word"}), "int_parsing"),
        (of({"type": "cohort", "key": "id"}), "Missing required keys for cohort filter: value"),
        (of(EVENT), "Missing required parameters, atleast one of values"),
        (of({**EVENT, "value": "performed_event_multiple", "explicit_datetime": "-1d"}), "attr operator_value"),
        (of({**EVENT, "explicit_datetime": "-1d", "event_type": None}), "event_type"),
        ([{"properties": {"a": None}}], "Missing required keys for person filter: value"),
        ([{"properties": {"type": "AND", "values": [{"key": "a"}]}}], "Missing required keys for person filter: value"),
        ([{"properties": {"type": "XOR", "values": []}}], "union_tag_invalid"),
        ([{"properties": [5]}], "The properties of a group must be an object, or a list of conditions."),
        ([{"properties": "a"}], "The properties of a group must be an object, or a list of conditions."),
        ([{"event_id": "e", "days": "many"}], "The days of a group must be a whole number."),
        ([{"event_id": "e", "days": [7]}], "The days of a group must be a whole number."),
        ([{"event_id": "e", "days": True}], "The days of a group must be a whole number."),
        ([{"event_id": "e", "days": "\u0663"}], "The days of a group must be a whole number."),
        ([{"event_id": ["e"]}], "string_type"),
        ([{"event_id": "e", "count": 1, "count_operator": 5}], "string_type"),
        (of(*[{"key": "a", "value": "x"}] * 5001), "There are more than 5,000 conditions: send fewer."),
    ],
)
def test_what_cannot_mean_anything_is_refused(cast: Cast, alice: Caller, groups: Any, detail: str):
    response = alice.post(url(cast), {"groups": groups})
    assert (response.status_code, response.json()["attr"]) == (400, "groups")
    assert detail in response.json()["detail"]
    cohort = create(cast, alice, groups=[{"properties": {"a": "x"}}])
    response = alice.patch(url(cast, cohort["id"]), {"groups": groups})
    assert (response.status_code, response.json()["attr"]) == (400, "groups")
    assert alice.get(url(cast, cohort["id"])).json()["groups"] == cohort["groups"]


def test_keys_that_front_ends_add_are_dropped(cast: Cast, alice: Caller):
    person(cast.web, name="pro", plan="pro")
    person(cast.web, name="free", plan="free")
    more: dict[str, Any] = {"label": None, "group_type_index": None, "cohort_name": "x" * 1000, "bytecode": []}
    groups = of(
        {"key": "plan", "value": "pro", "type": "event", "operator": "exact", **more},
        {"key": "lost", "operator": "is_not_set", **more},
    )
    groups.append({"properties": {"type": "AND", "values": [{"key": "plan", "value": "none", **more}]}})
    condition = {"type": "event", "key": "a", "value": 1}
    groups += of({**EVENT, "explicit_datetime": "-1d", "event_filters": [{**condition, **more}]})
    cohort = create(cast, alice, groups=groups)
    conditions = [each["values"] for each in cohort["filters"]["properties"]["values"]]
    assert conditions == [
        [
            {"key": "plan", "value": "pro", "type": "person", "operator": "exact"},
            {"key": "lost", "operator": "is_not_set", "type": "person"},
        ],
        [{"key": "plan", "value": "none", "type": "person"}],
        [{**EVENT, "explicit_datetime": "-1d", "event_filters": [condition]}],
    ]
    work()
    assert members(alice, cohort, cast.web) == {"pro"}


def test_a_reference_of_groups_waits_for_the_other_cohort(cast: Cast, alice: Caller):
    person(cast.web, name="pro", plan="pro")
    other = create(cast, alice, filters=all_of(leaf("plan", value="pro")))
    cohort = create(cast, alice, groups=refer(other["id"]))
    with connection.cursor() as cursor:  # as if the other's job took longer
        cursor.execute("DELETE FROM procrastinate_jobs WHERE lock = %s", [f"cohort:{other['id']}"])
    work()
    assert members(alice, cohort, cast.web) == set()
    assert alice.get(url(cast, cohort["id"])).json()["is_calculating"]
    alice.patch(url(cast, other["id"]), {"name": "x"})
    work()
    assert members(alice, cohort, cast.web) == {"pro"}
    alice.patch(url(cast, other["id"]), {"filters": all_of(leaf("plan", value="free"))})
    work()
    assert members(alice, cohort, cast.web) == set()


def test_groups_that_make_a_loop_are_refused(cast: Cast, alice: Caller):
    first = create(cast, alice, groups=[{"properties": {"a": "x"}}])
    second = create(cast, alice, groups=refer(first["id"]))
    for key in (first["id"], second["id"]):
        response = alice.patch(url(cast, first["id"]), {"groups": refer(key)})
        assert response.status_code == 400
        assert response.json() == {
            "type": "validation_error",
            "code": "invalid_input",
            "detail": "Cohorts cannot reference other cohorts in a loop.",
            "attr": None,
        }
    response = alice.patch(url(cast, first["id"]), {"filters": all_of(*refer(second["id"])[0]["properties"])})
    assert response.json()["detail"] == "Cohorts cannot reference other cohorts in a loop."


def test_a_change_of_groups_may_not_name_an_unknown_cohort(cast: Cast, alice: Caller):
    cohort = create(cast, alice, groups=refer(999_999))
    work()
    assert members(alice, cohort, cast.web) == set()
    other = create(cast, alice, groups=[{"properties": {"a": "x"}}])
    response = alice.patch(url(cast, other["id"]), {"groups": refer(999_999)})
    assert (response.status_code, response.json()["detail"]) == (400, "Invalid Cohort ID in filter")


def test_stored_groups_from_before_stay_and_may_be_echoed(cast: Cast, alice: Caller):
    groups = [{"properties": [{"value": "x"}], "days": "many"}]
    key = Cohort.objects.create(project=cast.web, groups=groups).pk
    read = alice.get(url(cast, key)).json()
    assert read["groups"] == groups
    response = alice.patch(url(cast, key), {"groups": groups, "name": "again"})
    assert (response.status_code, response.json()["groups"], response.json()["name"]) == (200, groups, "again")
    response = alice.put(url(cast, key), {**read, "name": "all of it"})
    assert (response.status_code, response.json()["groups"]) == (200, groups)


def test_the_references_are_in_a_column(cast: Cast, alice: Caller):
    target = create(cast, alice, filters=all_of(leaf("plan", value="pro")))
    leaves = refer(target["id"])[0]["properties"]
    for body, expected in (
        ({"filters": all_of({"type": "OR", "values": leaves})}, {target["id"]}),
        ({"groups": refer(target["id"])}, {target["id"]}),
        ({"groups": refer(target["id"]), "filters": all_of(leaf("plan", value="pro"))}, set()),
        ({"filters": all_of(*leaves), "is_static": True}, set()),
        ({}, set()),
    ):
        assert Cohort.objects.get(pk=create(cast, alice, **body)["id"]).references == expected
