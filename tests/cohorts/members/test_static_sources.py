"""What a static cohort takes its members from once: filters, queries, another cohort (D65, D66)."""

from typing import Any

import pytest

from cohorts.models import Cohort
from tests.conftest import Caller, Cast, invalid
from tests.support.cohorts.people import all_of, leaf, members, person, waiting, work
from tests.support.urls import cohorts_url as url

PRO = all_of(leaf("plan", value="pro"))
COPY = "SELECT person_id FROM cohort_people WHERE cohort_id = {}"


def create(cast: Cast, alice: Caller, **fields: Any) -> dict[str, Any]:
    response = alice.post(url(cast), fields)
    assert response.status_code == 201, response.json()
    return response.json()


@pytest.fixture
def persons(cast: Cast) -> None:
    person(cast.web, name="a", plan="pro")
    person(cast.web, name="b", plan="free")


def hogql(sentence: str, **more: Any) -> dict[str, Any]:
    return {"kind": "HogQLQuery", "query": sentence, **more}


@pytest.mark.usefixtures("persons")
def test_filters_are_taken_once(cast: Cast, alice: Caller):
    body = create(cast, alice, is_static=True, filters=PRO)
    assert (body["is_calculating"], body["filters"], body["cohort_type"]) == (True, PRO, None)
    work()
    assert members(alice, body, cast.web) == {"a"}
    read = alice.get(url(cast, body)).json()
    assert (read["count"], read["is_calculating"], read["filters"], read["is_static"]) == (1, False, PRO, True)
    person(cast.web, name="late", plan="pro")
    changed = alice.patch(url(cast, body), {"filters": all_of(leaf("plan", value="free"))})
    assert (changed.status_code, changed.json()["is_calculating"], waiting()) == (200, False, [])
    assert members(alice, body, cast.web) == {"a"}


@pytest.mark.usefixtures("persons")
@pytest.mark.parametrize(
    "filters",
    [{"anything": ["goes"]}, {"properties": {}}, all_of(), all_of({"type": "person", "key": "plan"}), [], "text", 5],
)
def test_filters_that_mean_nothing_are_kept_and_add_nobody(cast: Cast, alice: Caller, filters: Any):
    body = create(cast, alice, is_static=True, filters=filters)
    assert (body["count"], body["is_calculating"], waiting()) == (0, False, [])
    assert body["filters"] == (filters or {"properties": {}})


@pytest.mark.usefixtures("persons")
def test_filters_that_cannot_be_computed_add_nobody(cast: Cast, alice: Caller):
    body = create(cast, alice, is_static=True, filters=all_of(leaf("plan", "regex", "[")))
    work()
    read = alice.get(url(cast, body)).json()
    assert (read["is_calculating"], read["errors_calculating"]) == (False, 1)
    assert members(alice, body, cast.web) == set()


@pytest.mark.usefixtures("persons")
def test_filters_wait_for_the_cohort_that_they_name(cast: Cast, alice: Caller):
    other = create(cast, alice, filters=PRO)
    reference = all_of({"type": "cohort", "key": "id", "value": other["id"]})
    body = create(cast, alice, is_static=True, filters=reference)
    # Its job comes first, so it has to come again.
    Cohort.objects.filter(pk=other["id"]).update(is_calculating=True)
    assert [name for name, _ in waiting()] == ["cohorts.tasks.calculate_cohort", "cohorts.tasks.populate_cohort"]
    work()
    assert members(alice, body, cast.web) == {"a"}
    # Its references counted only then: nothing is in the way of the other's end.
    assert alice.patch(url(cast, other), {"deleted": True}).status_code == 200
    assert alice.patch(url(cast, body), {"name": "x"}).status_code == 200
    assert members(alice, body, cast.web) == {"a"}


@pytest.mark.usefixtures("persons")
def test_ids_come_before_filters(cast: Cast, alice: Caller):
    free = person(cast.web, name="c", plan="free")
    body = create(cast, alice, is_static=True, filters=PRO, _create_static_person_ids=[str(free.uuid)])
    assert (body["is_calculating"], members(alice, body, cast.web)) == (False, {"c"})


@pytest.mark.usefixtures("persons")
@pytest.mark.parametrize(
    "sentence",
    [COPY, COPY.lower(), "  select\tperson_id\nFROM  cohort_people where cohort_id={} ; ", COPY.replace(" = ", "=")],
)
def test_a_sentence_copies_the_members_of_a_dynamic_cohort(cast: Cast, alice: Caller, sentence: str):
    source = create(cast, alice, filters=PRO)
    body = create(cast, alice, is_static=True, query=hogql(sentence.format(source["id"])))
    work()
    assert members(alice, body, cast.web) == {"a"}


@pytest.mark.usefixtures("persons")
def test_a_sentence_copies_the_members_of_a_static_cohort(cast: Cast, alice: Caller):
    source = create(cast, alice, is_static=True, filters=PRO)
    of_static = COPY.replace("cohort_people", "static_cohort_people")
    copies = [create(cast, alice, is_static=True, query=hogql(each.format(source["id"]))) for each in (of_static, COPY)]
    work()
    assert [members(alice, each, cast.web) for each in copies] == [{"a"}, set()]


def test_a_sentence_copies_nobody_of_another_project(cast: Cast, alice: Caller):
    dave = cast.caller(cast.dave)
    person(cast.globex_web, name="theirs")
    theirs = dave.post(f"/api/projects/{cast.globex_web.pk}/cohorts/", {"filters": all_of(leaf("name", "is_set"))})
    work()
    assert dave.get(f"/api/projects/{cast.globex_web.pk}/cohorts/{theirs.json()['id']}/").json()["count"] == 1
    body = create(cast, alice, is_static=True, query=hogql(COPY.format(theirs.json()["id"])))
    work()
    assert alice.get(url(cast, body)).json()["count"] == 0


@pytest.mark.parametrize(
    "query",
    [
        hogql("SELECT person_id FROM events"),
        hogql("SELECT person_id FROM cohort_people WHERE cohort_id = 1 OR 1 = 1"),
        hogql("SELECT person_id FROM cohort_people WHERE cohort_id = \u0663"),
        hogql("SELECT person_id FROM cohort_people WHERE cohort_id = 1; DROP TABLE x"),
        hogql(""),
        {"kind": "HogQLQuery"},
        {"kind": "HogQLQuery", "query": 5},
        hogql(COPY.format(1), filters={"properties": [{"key": "a"}]}),
        hogql(COPY.format(1), values={"a": 1}),
    ],
)
def test_other_hogql_is_refused(cast: Cast, alice: Caller, query: dict[str, Any]):
    response = alice.post(url(cast), {"is_static": True, "query": query})
    assert (response.status_code, response.json()["attr"]) == (400, "query")
    assert "cannot be computed here: use an ActorsQuery with `properties` of persons, or " in response.json()["detail"]


BOTH = "Cannot set both query and filters at the same time."
DYNAMIC = "Cannot create a dynamic cohort with a query. Set is_static to true."
OTHER_HOGQL = hogql("SELECT 1 FROM persons")


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"query": OTHER_HOGQL, "filters": PRO, "is_static": True}, invalid("invalid_input", BOTH)),
        ({"query": OTHER_HOGQL, "filters": PRO}, invalid("invalid_input", BOTH)),
        ({"query": OTHER_HOGQL}, invalid("invalid_input", DYNAMIC)),
        ({"query": {"kind": "ActorsQuery", "select": 5}}, invalid("invalid_input", DYNAMIC)),
        (
            {"query": {"kind": "Other"}, "filters": PRO},
            invalid("invalid_input", "Query must be an ActorsQuery or HogQLQuery. Got: Other", "query"),
        ),
        ({"query": [1], "filters": PRO}, invalid("invalid_input", "Query must be a dictionary.", "query")),
    ],
)
def test_the_order_of_refusals_of_a_query(cast: Cast, alice: Caller, body: dict[str, Any], refusal: dict[str, Any]):
    response = alice.post(url(cast), body)
    assert (response.status_code, response.json()) == (400, refusal)


@pytest.mark.parametrize(
    "more",
    [
        {"select": 5},
        {"select": [5]},
        {"orderBy": "id"},
        {"limit": "many"},
        {"properties": 5},
        {"properties": "x"},
        {"tags": []},
        {"modifiers": [1]},
    ],
)
def test_an_actors_query_of_another_shape_is_refused(cast: Cast, alice: Caller, more: dict[str, Any]):
    response = alice.post(url(cast), {"is_static": True, "query": {"kind": "ActorsQuery", **more}})
    assert (response.status_code, response.json()["attr"]) == (400, "query")
    assert not Cohort.objects.exists()


DUPLICATE = "duplicate_as_static_cohort/"


@pytest.mark.usefixtures("persons")
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_dynamic_cohort_is_duplicated(cast: Cast, alice: Caller, method: str):
    source = create(cast, alice, name="Pros", filters=PRO)
    response = getattr(alice, method)(url(cast, source, DUPLICATE))
    assert response.status_code == 200
    assert "ETag" not in response.headers
    copy = response.json()
    assert (copy["name"], copy["is_static"], copy["is_calculating"]) == ("Pros (static copy)", True, True)
    assert copy["created_by"]["email"] == "alice@example.com"
    work()
    assert members(alice, copy, cast.web) == {"a"}
    assert alice.get(url(cast, copy)).json()["count"] == 1
    again = getattr(alice, method)(url(cast, source, DUPLICATE)).json()
    assert again["id"] != copy["id"]
    activity = alice.get(url(cast, copy, "activity/")).json()["results"]
    assert [each["activity"] for each in activity] == ["created"]


def test_a_static_cohort_is_not_duplicated(cast: Cast, alice: Caller):
    source = create(cast, alice, is_static=True)
    response = alice.get(url(cast, source, DUPLICATE))
    assert response.status_code == 400
    assert response.json() == invalid("invalid_input", "Cannot duplicate a static cohort as a static cohort.")


def test_a_read_of_the_head_duplicates_nothing(cast: Cast, alice: Caller):
    source = create(cast, alice, filters=PRO)
    response = alice.request("head", url(cast, source, DUPLICATE))
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, POST, OPTIONS")
    assert Cohort.objects.count() == 1


def test_a_copy_of_the_longest_name_has_a_name(cast: Cast, alice: Caller):
    source = create(cast, alice, name="x" * 400, filters=PRO)
    name = alice.post(url(cast, source, DUPLICATE)).json()["name"]
    assert (len(name), name.endswith("x (static copy)")) == (400, True)


def test_an_if_none_match_does_not_hide_the_copy(cast: Cast, alice: Caller):
    source = create(cast, alice, filters=PRO)
    response = alice.request("get", url(cast, source, DUPLICATE), headers={"If-None-Match": "*"})
    assert response.status_code == 200


def test_a_key_that_may_only_read_duplicates_nothing(cast: Cast, alice: Caller):
    source = create(cast, alice, filters=PRO)
    reader = cast.caller(cast.alice, "cohort:read")
    assert reader.get(url(cast, source, DUPLICATE)).status_code == 403
    assert Cohort.objects.count() == 1
