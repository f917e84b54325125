"""Sizes that mean something (D70): past each, 400 with a sentence that names it; up to it, the request is served."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from cohorts.calculation.run import calculate
from cohorts.models import Calculation, Cohort
from tests.conftest import Caller, Cast, invalid
from tests.support.cohorts.people import all_of, leaf


def url(cast: Cast, resource: str = "") -> str:
    return f"/api/projects/{cast.web.pk}/{resource}"


def padded(value: Any, size: int) -> Any:
    """Return criteria whose JSON has exactly so many bytes, by a long value of a condition."""
    empty = all_of(leaf("a", value="x"))
    return all_of(leaf("a", value="x" * (size - len(json.dumps(empty, separators=(",", ":"))) + 1)))


MB, KB = 1024**2, 1024


@pytest.mark.parametrize(("size", "status"), [(MB, 201), (MB + 1, 400)])
def test_criteria_have_at_most_1_mb(cast: Cast, alice: Caller, size: int, status: int):
    response = alice.post(url(cast, "cohorts/"), {"filters": padded(None, size)})
    assert response.status_code == status
    if status == 400:
        detail = "This field takes at most 1 MB of JSON: send less."
        assert response.json() == invalid("max_length", detail, "filters")


@pytest.mark.parametrize("field", ["groups", "query"])
def test_so_have_groups_and_queries(cast: Cast, alice: Caller, field: str):
    response = alice.post(url(cast, "cohorts/"), {"is_static": True, field: [{"a": "x" * MB}]})
    assert (response.status_code, response.json()["attr"]) == (400, field)


@pytest.mark.parametrize(("count", "status"), [(5000, 201), (5001, 400)])
def test_criteria_have_at_most_5000_conditions(cast: Cast, alice: Caller, count: int, status: int):
    response = alice.post(url(cast, "cohorts/"), {"filters": all_of(*[leaf("a", value="b")] * count)})
    assert response.status_code == status
    if status == 400:
        assert response.json()["detail"] == "There are more than 5,000 conditions: send fewer."


def test_conditions_on_events_count(cast: Cast, alice: Caller):
    event = {"type": "behavioral", "key": "a", "value": "performed_event", "event_type": "events"}
    filters = [{"type": "event", "key": "a", "operator": "exact", "value": "b"}] * 5000
    criteria = all_of({**event, "time_value": 1, "time_interval": "day", "event_filters": filters})
    assert alice.post(url(cast, "cohorts/"), {"filters": criteria}).status_code == 400


@pytest.mark.parametrize(("length", "status"), [(400, 201), (401, 400)])
@pytest.mark.parametrize("name", ["key", "operator"])
def test_texts_of_a_condition_have_at_most_400_characters(
    cast: Cast, alice: Caller, name: str, length: int, status: int
):
    filters = all_of({**leaf("a", value="b"), name: "x" * length})
    response = alice.post(url(cast, "cohorts/"), {"filters": filters})
    assert response.status_code == status
    if status == 400:
        assert response.json()["detail"] == f"{name} is longer than 400 characters: send a shorter one."


def test_a_list_of_values_may_have_any_length(cast: Cast, alice: Caller):
    filters = all_of(leaf("a", "in", [f"value {number}" for number in range(50_000)]))
    assert alice.post(url(cast, "cohorts/"), {"filters": filters}).status_code == 201


@pytest.mark.parametrize(("size", "status"), [(256 * KB, 200), (256 * KB + 1, 400)])
def test_a_setting_has_at_most_256_kb(cast: Cast, alice: Caller, size: int, status: int):
    value = {"a": "x" * (size - len('{"a":""}'))}
    response = alice.patch(url(cast), {"survey_config": value})
    if status == 400:
        detail = "This field takes at most 256 KB of JSON: send less."
        assert response.json() == invalid("max_length", detail, "survey_config")
    else:
        assert response.json().get("attr") != "survey_config" or "256 KB" not in response.json()["detail"]


def test_every_setting_that_holds_json_has_a_limit(cast: Cast, alice: Caller):
    project = alice.get(url(cast)).json()
    large = {"a": ["x" * 256 * KB]}
    for name, value in project.items():
        if isinstance(value, list | dict):
            response = alice.patch(url(cast), {name: [large["a"][0]] if isinstance(value, list) else large})
            if response.status_code == 400:
                assert "256 KB" in response.json()["detail"], name
            else:
                assert alice.get(url(cast)).json()[name] == value, name  # it cannot be written


@pytest.mark.parametrize(("count", "status"), [(100_000, 201), (100_001, 400)])
def test_a_request_names_at_most_100_000_persons(cast: Cast, alice: Caller, count: int, status: int):
    ids = ["0195a0c0-0000-7000-8000-000000000001"] * count
    body = {"is_static": True, "_create_static_person_ids": ids}
    response = alice.post(url(cast, "cohorts/"), body)
    assert response.status_code == status
    if status == 400:
        assert response.json()["detail"] == "More than 100,000 persons: send fewer at a time."


@pytest.mark.parametrize(("count", "status"), [(100_000, 201), (100_001, 400)])
def test_a_file_names_at_most_100_000_persons(cast: Cast, alice: Caller, count: int, status: int):
    file = SimpleUploadedFile("a.csv", b"person_id\n" + b"".join(b"%d\n" % number for number in range(count)))
    response = alice.client.post(url(cast, "cohorts/"), {"csv": file, "is_static": "true"})
    assert response.status_code == status
    if status == 400:
        assert response.json() == invalid("invalid_input", "More than 100,000 persons: send fewer at a time.", "csv")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"[" + b"[]," * 200_000 + b"1]", "more than 200,000 objects and lists"),
        (b'{"a": [' + b"{}," * 200_000 + b"1]}", "more than 200,000 objects and lists"),
        (b"[" + b"1," * 500_001 + b"1]", "more than 500,000 values"),
    ],
)
def test_json_has_at_most_so_many_parts(cast: Cast, alice: Caller, body: bytes, detail: str):
    response = alice.post(url(cast, "annotations/"), body)
    assert (response.status_code, response.json()["code"]) == (400, "parse_error")
    assert detail in response.json()["detail"]


def test_a_form_has_at_most_so_many_escapes(cast: Cast, alice: Caller):
    body = b"content=" + b"%20" * 500_001
    response = alice.post(url(cast, "annotations/"), body, content_type="application/x-www-form-urlencoded")
    assert (response.status_code, response.json()["code"]) == (400, "parse_error")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"content": "' + b"[{" * 100 + b'"}', 201),
        (b'{"content": "\\"' + b"[{" * 100 + b'"}', 201),
        (b'{"content": "\\\\", "x": ' + b"[" * 65 + b"]" * 65 + b"}", 400),
        (b'{"x": ' + b"[" * 62 + b"]" * 62 + b', "y": ' + b"[" * 62 + b"]" * 62 + b"}", 201),
        (b"]" * 100 + b"[" * 100, 400),
        (b'{"x": "' + b"[" * 100, 400),
    ],
)
def test_only_brackets_outside_texts_nest(cast: Cast, alice: Caller, body: bytes, status: int):
    assert alice.post(url(cast, "annotations/"), body).status_code == status


def test_a_project_takes_a_form_with_a_large_file(cast: Cast, alice: Caller):
    file = SimpleUploadedFile("a.csv", b"x" * 3 * MB)
    body = encode_multipart(BOUNDARY, {"csv": file, "name": "New", "timezone": "UTC"})
    response = alice.client.patch(url(cast), body, content_type=MULTIPART_CONTENT)
    assert (response.status_code, response.json()["name"]) == (200, "New")


def test_what_is_no_condition_counts_as_one(cast: Cast, alice: Caller):
    criteria = {"properties": {"type": "AND", "values": [1] * 5001}}
    response = alice.post(url(cast, "cohorts/"), {"filters": criteria})
    assert response.json()["detail"] == "There are more than 5,000 conditions: send fewer."


def test_the_text_of_an_error_has_at_most_1000_characters(cast: Cast, alice: Caller):
    response = alice.post(url(cast, "cohorts/"), {"filters": all_of({**leaf("a", value="b"), "x" * 100_000: 1})})
    assert len(response.json()["detail"]) == 1000
    calculated = Cohort.objects.create(
        project=cast.web, pending_version=1, filters=all_of(leaf("a", "regex", ["(" + "x" * 5_000] * 2))
    )
    calculate(calculated.pk)
    assert 0 < len(Calculation.objects.get().error or "") <= 1000
