import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from cohorts.models import Calculation, Cohort, CohortMember
from cohorts.tasks import count_static_cohorts
from core6.activity.models import ActivityLog
from core6.analytics.models import Person
from tests.conftest import Caller, Cast, error, invalid
from tests.support.cohorts.people import all_of, leaf, members, person, waiting, work
from tests.support.urls import cohorts_url as url

NO_VALUE = (
    "CSV file contains no valid person IDs, distinct IDs, or email addresses. Please ensure your file has data rows"
    " with person IDs, distinct IDs, or email addresses."
)


def create(cast: Cast, alice: Caller, **fields: Any) -> dict:
    response = alice.post(url(cast), {"is_static": True, **fields})
    assert response.status_code == 201, response.json()
    return response.json()


def upload(cast: Cast, alice: Caller, content: str | bytes, path: str = "", **fields: Any) -> Any:
    data = content if isinstance(content, bytes) else content.encode()
    file = SimpleUploadedFile("people.csv", data, "text/csv")
    return alice.client.post(path or url(cast), {"csv": file, "is_static": "true", "name": "by file", **fields})


def state(cast: Cast, alice: Caller, cohort: dict) -> tuple[bool, int | None, int]:
    body = alice.get(url(cast, cohort)).json()
    return body["is_calculating"], body["count"], body["errors_calculating"]


def test_ids_are_put_in_at_once_and_the_answer_names_those_really_added(cast: Cast, alice: Caller):
    a, b = person(cast.web, name="a"), person(cast.web, name="b")
    foreign = person(cast.globex_web, name="foreign")
    ids = [str(a.uuid), str(b.uuid).upper(), str(a.uuid), str(uuid.uuid4()), str(foreign.uuid)]
    body = create(cast, alice, _create_static_person_ids=ids)
    assert (body["count"], body["is_calculating"], body["pending_version"]) == (2, False, None)
    assert body["last_calculation"] is not None
    assert sorted(body["_create_static_person_ids"]) == sorted([str(a.uuid), str(b.uuid)])
    assert alice.get(url(cast, body)).json()["_create_static_person_ids"] == []
    assert (members(alice, body, cast.web), waiting()) == ({"a", "b"}, [])


def test_an_empty_static_cohort_counts_nought(cast: Cast, alice: Caller):
    body = create(cast, alice, filters={"anything": ["goes"]})
    assert (body["count"], body["is_calculating"], body["filters"]) == (0, False, {"anything": ["goes"]})
    assert not Calculation.objects.exists()


@pytest.mark.whole
def test_a_hundred_thousand_ids_in_one_request(cast: Cast, alice: Caller):
    uuids = [uuid.UUID(int=i) for i in range(1, 100_001)]
    Person.objects.bulk_create([Person(project_id=cast.web.pk, uuid=each) for each in uuids], batch_size=20_000)
    body = create(cast, alice, _create_static_person_ids=[str(each) for each in uuids])
    assert (body["count"], len(body["_create_static_person_ids"])) == (100_000, 100_000)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("person_id\n{a}\n{b}\n", "ab"),
        ("Person .id\n{a}\n", "a"),
        ("Person.id\r\n{a}\r\n", "a"),
        ("\ufeffperson_id\n{a}\nnonsense\n", "a"),
        ("email\nb@example.com\nnobody@example.com\n", "b"),
        ("E-Mail\nB@example.com\n", ""),
        ("d-a\nd-b\n", "ab"),
        ("distinct_id\nd-a\n", "a"),
        ("\n  \nd-a,\n", "a"),
        ('"d,c"\n', "c"),
        ('"d""q"\n', "q"),
        ("0\n", "0"),
        ("name,email,distinct_id\nx,a@example.com,d-b\ny,a@example.com\n", "b"),
        ("email,person_id\nb@example.com,{a}\n", "a"),
        ("name,E-mail\nx, a@example.com \n", "a"),
    ],
)
def test_a_file_names_persons(cast: Cast, alice: Caller, content: str, found: str):
    people = {
        name: person(cast.web, f"d-{name}" if name in "ab" else {"c": "d,c", "q": 'd"q', "0": "0"}[name], name=name)
        for name in "abcq0"
    }
    for name in "ab":
        people[name].properties["email"] = f"{name}@example.com"
        people[name].save()
    person(cast.globex_web, "d-a", "d-b", name="foreign", email="b@example.com")
    response = upload(cast, alice, content.format(a=people["a"].uuid, b=people["b"].uuid))
    body = response.json()
    assert (response.status_code, body["is_calculating"], body["count"]) == (201, True, None)
    assert work() == 1
    assert state(cast, alice, body) == (False, len(found), 0)
    assert members(alice, body, cast.web) == set(found)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "CSV file is empty. Please upload a CSV file with at least one row of data."),
        (" \n\n", "CSV file is empty. Please upload a CSV file with at least one row of data."),
        (" \n,\n", NO_VALUE),
        (",,,\n,,", NO_VALUE),
        (
            "name,plan\nx,y\n",
            (
                "Multi-column CSV must contain at least one column with a supported ID header: 'person_id',"
                " 'Person .id' (PostHog export format), 'distinct_id', 'distinct-id', or 'email'."
                " Found columns: name, plan"
            ),
        ),
        ("person_id\n\n", NO_VALUE),
        (b"\xff\xfe", "CSV file encoding is not supported. Please save your file as UTF-8 and try again."),
        ('"open', "CSV file format is invalid. Please check your file format and try again."),
    ],
)
def test_a_bad_file_leaves_no_trace(cast: Cast, alice: Caller, content: str | bytes, message: str):
    response = upload(cast, alice, content)
    assert (response.status_code, response.json()["detail"], response.json()["attr"]) == (400, message, "csv")
    assert not Cohort.objects.exists()


def test_a_file_and_ids_are_put_in_together(cast: Cast, alice: Caller):
    a = person(cast.web, "d-a", name="a")
    person(cast.web, "d-b", name="b")
    body = upload(cast, alice, "d-b\n", _create_static_person_ids=[str(a.uuid)]).json()
    work()
    assert members(alice, body, cast.web) == {"a", "b"}


def test_later_files_add_and_remove_nobody(cast: Cast, alice: Caller):
    person(cast.web, "d-a", name="a")
    person(cast.web, "d-b", name="b")
    body = upload(cast, alice, "d-a\n").json()
    file = SimpleUploadedFile("people.csv", b"d-b\n", "text/csv")
    patched = alice.client.generic("PATCH", url(cast, body), *encoded({"csv": file}))
    assert (patched.status_code, patched.json()["is_calculating"]) == (200, True)
    assert len(waiting()) == 2
    work()
    assert state(cast, alice, body) == (False, 2, 0)
    assert alice.get(url(cast, body)).json()["pending_version"] is None
    alice.patch(url(cast, body), {"name": "renamed"})
    assert (waiting(), state(cast, alice, body)) == ([], (False, 2, 0))


def encoded(data: dict) -> tuple[bytes, str]:
    return encode_multipart(BOUNDARY, data), MULTIPART_CONTENT


def test_a_query_finds_persons_by_their_properties(cast: Cast, alice: Caller):
    for name, plan in (("a", "pro"), ("b", "free"), ("c", "pro")):
        person(cast.web, name=name, plan=plan)
    query = {"kind": "ActorsQuery", "select": ["person"], "properties": [leaf("plan", value="pro")]}
    body = create(cast, alice, query=query)
    assert (body["is_calculating"], body["query"]) == (True, query)
    work()
    assert members(alice, body, cast.web) == {"a", "c"}
    alice.patch(url(cast, body), {"query": {"kind": "ActorsQuery", "properties": [leaf("name", value="b")]}})
    work()
    assert members(alice, body, cast.web) == {"a", "b", "c"}
    everybody = create(cast, alice, query={"kind": "ActorsQuery"})
    work()
    assert state(cast, alice, everybody) == (False, 3, 0)


def test_a_query_that_cannot_be_computed_is_counted(cast: Cast, alice: Caller):
    query = {"kind": "ActorsQuery", "properties": [leaf("plan", "regex", "[")]}
    body = create(cast, alice, query=query)
    work()
    assert state(cast, alice, body) == (False, None, 1)


def test_a_static_cohort_becomes_dynamic_and_back(cast: Cast, alice: Caller):
    a, _ = person(cast.web, name="a"), person(cast.web, name="b")
    body = create(cast, alice, _create_static_person_ids=[str(a.uuid)])
    response = alice.patch(url(cast, body), {"is_static": False, "filters": all_of(leaf("name", value="b"))})
    assert (response.status_code, response.json()["is_calculating"]) == (200, True)
    work()
    assert members(alice, body, cast.web) == {"b"}
    alice.patch(url(cast, body), {"is_static": True, "_create_static_person_ids": [str(a.uuid)]})
    assert (waiting(), members(alice, body, cast.web)) == ([], {"a", "b"})


ADD, REMOVE = "add_persons_to_static_cohort/", "remove_person_from_static_cohort/"


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({}, "person_ids must be a list"),
        ({"person_ids": "x"}, "person_ids must be a list"),
        ({"person_ids": []}, "person_ids cannot be empty"),
        ({"person_ids": ["x"] * 1001}, "List size exceeds limit"),
        ({"person_ids": ["x"]}, "person_ids must be a list of valid UUIDs"),
        ({"person_ids": [5]}, "person_ids must be a list of valid UUIDs"),
        ({"person_ids": ["00000000-0000-4000-8000-000000000000"]}, "No valid users to add to cohort"),
    ],
)
def test_a_list_of_persons_that_cannot_be_added_is_refused(cast: Cast, alice: Caller, sent: dict, message: str):
    body = create(cast, alice)
    response = alice.patch(url(cast, body, ADD), sent)
    assert (response.status_code, response.json()) == (400, invalid("invalid_input", message))
    dynamic = alice.post(url(cast), {}).json()
    refusal = alice.patch(url(cast, dynamic, ADD), sent).json()
    assert refusal == invalid("invalid_input", "Can only add users to static cohorts")


def test_persons_are_added_by_hand(cast: Cast, alice: Caller):
    a, b = person(cast.web, name="a"), person(cast.web, name="b")
    body = create(cast, alice)
    sent = {"person_ids": [str(a.uuid), str(uuid.uuid4())]}
    for _ in range(2):
        response = alice.patch(url(cast, body, ADD), sent)
        assert (response.status_code, response.json()) == (200, {"success": True})
    form = alice.patch(url(cast, body, ADD), f"person_ids={b.uuid}", content_type="application/x-www-form-urlencoded")
    assert form.status_code == 200
    assert state(cast, alice, body)[1] == 2
    assert ActivityLog.objects.filter(activity="persons_added_manually").count() == 3


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({}, "person_id is required"),
        ({"person_id": ""}, "person_id is required"),
        ({"person_id": 5}, "person_id must be a string"),
        ({"person_id": "x"}, "person_id must be a valid UUID"),
    ],
)
def test_a_person_that_cannot_be_removed_is_refused(cast: Cast, alice: Caller, sent: dict, message: str):
    body = create(cast, alice)
    response = alice.patch(url(cast, body, REMOVE), sent)
    assert (response.status_code, response.json()) == (400, invalid("invalid_input", message))
    dynamic = alice.post(url(cast), {}).json()
    refusal = alice.patch(url(cast, dynamic, REMOVE), sent).json()
    assert refusal == invalid("invalid_input", "Can only remove users from static cohorts")


def test_a_person_is_removed_by_hand(cast: Cast, alice: Caller):
    a, b = person(cast.web, name="a"), person(cast.web, name="b")
    foreign = person(cast.globex_web)
    body = create(cast, alice, _create_static_person_ids=[str(a.uuid)])
    for who, count in ((b, 1), (a, 0), (a, 0)):
        response = alice.patch(url(cast, body, REMOVE), {"person_id": str(who.uuid)})
        assert (response.status_code, response.json()) == (200, {"success": True})
        assert state(cast, alice, body)[1] == count
    missing = alice.patch(url(cast, body, REMOVE), {"person_id": str(foreign.uuid)})
    detail = "Person with this UUID does not exist in the cohort's team"
    assert (missing.status_code, missing.json()) == (404, error("invalid_request", "not_found", detail))


def test_dependents_follow_what_is_put_in_by_hand(cast: Cast, alice: Caller):
    a = person(cast.web, name="a")
    static = create(cast, alice)
    filters = all_of({"type": "cohort", "key": "id", "value": static["id"]})
    outer = alice.post(url(cast), {"filters": filters}).json()
    work()
    alice.patch(url(cast, static, ADD), {"person_ids": [str(a.uuid)]})
    work()
    assert members(alice, outer, cast.web) == {"a"}
    assert CohortMember.objects.count() == 2


def test_a_count_that_is_wrong_is_corrected(cast: Cast, alice: Caller):
    """A machine of a cluster that dies in the midst of a change can leave members without their count."""
    a, b = person(cast.web, name="a"), person(cast.web, name="b")
    wrong = create(cast, alice, _create_static_person_ids=[str(a.uuid), str(b.uuid)])
    right = create(cast, alice, _create_static_person_ids=[str(a.uuid)])
    CohortMember.objects.filter(cohort_id=wrong["id"], person_uuid=a.uuid).delete()
    before = alice.get(url(cast, right)).json()
    count_static_cohorts(0)
    assert state(cast, alice, wrong) == (False, 1, 0)
    assert alice.get(url(cast, right)).json() == before
