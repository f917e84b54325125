import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from core6.analytics.models import DistinctId, Person
from tests.conftest import Caller, Cast
from tests.support.cohorts.people import NOW, leaf, person


def url(cast: Cast, cohort: dict) -> str:
    return f"/api/projects/{cast.web.pk}/cohorts/{cohort['id']}/persons/"


def cohort_of(cast: Cast, alice: Caller, *people: Person) -> dict:
    sent = {"is_static": True, "_create_static_person_ids": [str(each.uuid) for each in people]}
    return alice.post(f"/api/projects/{cast.web.pk}/cohorts/", sent).json()


def aged(who: Person, days: int) -> Person:
    who.created_at = NOW - timedelta(days=days)
    who.save()
    return who


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.json()
    return [row["name"] for row in response.json()["results"]]


def test_a_person_is_shown_whole(cast: Cast, alice: Caller):
    who = aged(person(cast.web, "d1", "d2", email="a@example.com", plan="pro"), 1)
    body = alice.get(url(cast, cohort_of(cast, alice, who))).json()
    assert body == {
        "results": [
            {
                "type": "person",
                "id": str(who.uuid),
                "uuid": str(who.uuid),
                "created_at": "2026-03-14T12:00:00Z",
                "properties": {"email": "a@example.com", "plan": "pro"},
                "is_identified": False,
                "name": "a@example.com",
                "distinct_ids": ["d1", "d2"],
                "matched_recordings": [],
                "value_at_data_point": None,
            }
        ],
        "next": None,
        "previous": None,
    }


def test_a_person_has_a_name_whatever_is_known(cast: Cast, alice: Caller):
    named = (person(cast.web, name="N"), person(cast.web, "d1"), person(cast.web))
    assert sorted(names(alice.get(url(cast, cohort_of(cast, alice, *named))))) == sorted(
        ["N", "d1", str(named[2].uuid)]
    )


def test_ten_distinct_ids_are_shown(cast: Cast, alice: Caller):
    who = person(cast.web, *(f"d{i:02}" for i in range(12)))
    (row,) = alice.get(url(cast, cohort_of(cast, alice, who))).json()["results"]
    assert row["distinct_ids"] == [f"d{i:02}" for i in range(10)]


def test_pages_are_newest_first_and_not_counted(cast: Cast, alice: Caller):
    people = [aged(person(cast.web, name=str(i)), i) for i in range(4)]
    path = url(cast, cohort_of(cast, alice, *people))
    first = alice.get(path, limit=2)
    assert names(first) == ["0", "1"]
    assert (first.json()["next"], first.json()["previous"]) == (f"http://testserver{path}?limit=2&offset=2", None)
    second = alice.client.get(first.json()["next"])
    assert names(second) == ["2", "3"]
    # A full last page cannot know that it is the last.
    assert second.json()["next"] == f"http://testserver{path}?limit=2&offset=4"
    assert second.json()["previous"] == f"http://testserver{path}?limit=2&offset=0"
    assert alice.client.get(second.json()["next"]).json()["results"] == []
    assert alice.get(path, offset=1, limit=3).json()["previous"] is None


def test_persons_can_be_searched(cast: Cast, alice: Caller):
    a = person(cast.web, "id-One", name="Ann", email="x@example.com")
    b = person(cast.web, "id-two", name="Ben", email="y@example.com")
    person(cast.app, "id-one-elsewhere", name="Ann")
    path = url(cast, cohort_of(cast, alice, a, b))
    for search, found in (
        ("ANN", {a}),
        ("x@example", {a}),
        ("id-", {a, b}),
        ("ONE", {a}),
        (str(b.uuid)[9:23], {b}),
        ("%", set()),
        ("", {a, b}),
    ):
        rows = alice.get(path, search=search).json()["results"]
        assert {row["uuid"] for row in rows} == {str(each.uuid) for each in found}, search
    assert alice.get(path, search="a\0").status_code == 400


def test_persons_can_be_narrowed_by_properties(cast: Cast, alice: Caller):
    people = [person(cast.web, name=name, age=age) for name, age in (("a", 20), ("b", 30), ("c", 40))]
    path = url(cast, cohort_of(cast, alice, *people))
    for filters, found in (
        ([leaf("age", "gte", 30)], ["b", "c"]),
        ([leaf("age", "gte", 30), leaf("name", "is_not", "c")], ["b"]),
        ([{"key": "name", "value": ["a", "b"]}], ["a", "b"]),
        ([{"key": "a'b%s", "value": "x"}], []),
        ([], ["a", "b", "c"]),
    ):
        assert sorted(names(alice.get(path, properties=json.dumps(filters)))) == found


@pytest.mark.parametrize(
    "text",
    [
        "x",
        '{"a": 1}',
        "5",
        '[{"key": 1}]',
        '[{"type": "cohort", "key": "id", "value": 1}]',
        "[1]",
        '[{"key": "a", "operator": "bananas", "value": 1}]',
    ],
)
def test_bad_properties_are_refused(cast: Cast, alice: Caller, text: str):
    response = alice.get(url(cast, cohort_of(cast, alice)), properties=text)
    assert (response.status_code, response.json()["attr"]) == (400, "properties")


def test_a_table_can_be_had(cast: Cast, alice: Caller):
    a = aged(person(cast.web, "d1", "d2", email="a@example.com", plan="pro", tags=["x"]), 1)
    b = aged(person(cast.web, name="=1+1"), 2)
    path = url(cast, cohort_of(cast, alice, a, b))
    response = alice.client.get(path, headers={"Accept": "text/csv"})
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response.content == alice.get(path, is_csv_export="true").content
    rows = list(csv.reader(io.StringIO(response.content.decode())))
    assert rows == [
        [
            "id",
            "email",
            "name",
            "created_at",
            "properties.name",
            "properties.plan",
            "properties.tags",
            "distinct_ids.0",
            "distinct_ids.1",
        ],
        [str(a.uuid), "a@example.com", "a@example.com", "2026-03-14T12:00:00Z", "", "pro", '["x"]', "d1", "d2"],
        [str(b.uuid), "", "'=1+1", "2026-03-13T12:00:00Z", "'=1+1", "", "", "", ""],
    ]
    refused = alice.client.get(f"{path}?properties=x", headers={"Accept": "text/csv"})
    assert (refused.status_code, refused["Content-Type"], refused.json()["attr"]) == (
        400,
        "application/json",
        "properties",
    )


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("+1+1", "'+1+1"),
        ("-2+cmd|' /C calc'!A0", "'-2+cmd|' /C calc'!A0"),
        ("-", "'-"),
        ("+49 30 1234", "'+49 30 1234"),
        ("\n=1+1", "'\n=1+1"),
        ("\t=1+1", "'\t=1+1"),
        ("\r=1+1", "'\r=1+1"),
        ("-1\n", "'-1\n"),
        ("a-b", "a-b"),
        ("-12", "-12"),
        ("+4930", "+4930"),
        ("-1.5e-7", "-1.5e-7"),
        ("-.5", "-.5"),
        (-12, "-12"),
        (-1.5, "-1.5"),
    ],
)
def test_a_cell_is_no_formula(cast: Cast, alice: Caller, value: Any, cell: str):
    path = url(cast, cohort_of(cast, alice, person(cast.web, value=value)))
    text = alice.client.get(path, headers={"Accept": "text/csv"}).content.decode()
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["properties.value"] == cell


def test_people_of_another_project_never_show(cast: Cast, alice: Caller):
    mine = person(cast.web, "d", name="mine")
    # The same ids may exist elsewhere.
    Person.objects.create(project_id=cast.globex_web.pk, uuid=mine.uuid, properties={"name": "theirs"})
    DistinctId.objects.create(project_id=cast.globex_web.pk, distinct_id="theirs", person_uuid=mine.uuid)
    (row,) = alice.get(url(cast, cohort_of(cast, alice, mine))).json()["results"]
    assert (row["name"], row["distinct_ids"]) == ("mine", ["d"])


@pytest.mark.parametrize("rows", [1, 10, 100])
def test_the_number_of_queries_does_not_grow(cast: Cast, alice: Caller, queries: CaptureQueriesContext, rows: int):
    cohort = cohort_of(cast, alice, *(person(cast.web, f"d{i}") for i in range(rows)))
    with queries:
        assert len(alice.get(url(cast, cohort)).json()["results"]) == rows
    # Key with project; the cohort; the limit of time, which is a transaction; who is on the page; these with their ids.
    assert len(queries) == 7


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (r"(a)\1", "Back references are not supported in regular expressions: "),
        (["a"] * 21, "There are more than 20 regular expressions: use fewer."),
    ],
)
def test_an_expression_that_cannot_be_used_is_refused_in_a_query_string(
    cast: Cast, alice: Caller, value: Any, sentence: str
):
    filters = json.dumps([leaf("name", "regex", value)])
    response = alice.get(url(cast, cohort_of(cast, alice)), properties=filters)
    assert (response.status_code, response.json()["attr"]) == (400, "properties")
    assert response.json()["detail"].startswith(sentence)
