"""`If-Match`: a write that is meant for another state of the object is 412 and changes nothing.

`ETag` and `If-None-Match`: every read has a tag, and is 304 to a client that has it already (D67).
"""

import re
from typing import Any

import pytest
from django.test import Client

from annotations.models import Annotation
from cohorts.models import Cohort
from core6.accounts.models import User
from roles.models import Role, RoleMembership
from tests.api.test_permission_matrix import MATRIX
from tests.conftest import Caller, Cast
from tests.support.cohorts.people import all_of, leaf
from tests.support.sampling import sampled


@pytest.fixture
def objects(cast: Cast) -> dict[str, str]:
    """An object of each kind, by the name of a field that can be written."""
    note = Annotation.objects.create(organization=cast.acme, project=cast.web, content="x", created_by=cast.bob)
    role = Role.objects.create(organization=cast.acme, name="Role")
    cohort = Cohort.objects.create(project=cast.web, name="x", is_static=True)
    return {
        "content": f"/api/projects/{cast.web.pk}/annotations/{note.pk}/",
        "feature": f"/api/organizations/{cast.acme.pk}/projects/{cast.web.pk}/",
        "name": f"/api/organizations/{cast.acme.pk}/roles/{role.pk}/",
        "description": f"/api/projects/{cast.web.pk}/cohorts/{cohort.pk}/",
    }


def bodies(objects: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
    return [(path, {"name" if name == "feature" else name: "new"}) for name, path in objects.items()]


def sent(caller: Caller, method: str, path: str, tag: str, body: Any = None) -> Any:
    return caller.request(method, path, body, headers={"If-Match": tag})


def test_the_state_that_was_read_is_changed_once(alice: Caller, objects: dict[str, str]):
    for path, body in bodies(objects):
        tag = alice.get(path)["ETag"]
        assert sent(alice, "PATCH", path, tag, body).status_code == 200, path
        again = sent(alice, "PATCH", path, tag, dict.fromkeys(body, "lost"))
        assert again.status_code == 412, path
        assert again.json() == {
            "type": "invalid_request",
            "code": "precondition_failed",
            "detail": "The object has changed since it was read: read it again.",
            "attr": None,
        }
        assert "lost" not in alice.get(path).content.decode()
        assert sent(alice, "PATCH", path, alice.get(path)["ETag"], body).status_code == 200, path


@pytest.mark.parametrize("tag", ["*", '"other", {tag}', "{tag}"])
def test_a_change_with_the_present_tag_is_made(alice: Caller, objects: dict[str, str], tag: str):
    for path, body in bodies(objects):
        known = tag.replace("{tag}", alice.get(path)["ETag"])
        assert sent(alice, "PATCH", path, known, body).status_code == 200


@pytest.mark.parametrize("tag", ['"other"', "W/{tag}", "nonsense"])
def test_a_change_with_another_tag_is_refused(alice: Caller, objects: dict[str, str], tag: str):
    for path, body in bodies(objects):
        before = alice.get(path)
        known = tag.replace("{tag}", before["ETag"])
        assert sent(alice, "PATCH", path, known, body).status_code == 412
        assert alice.get(path)["ETag"] == before["ETag"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_every_method_that_changes_checks_if_match(alice: Caller, objects: dict[str, str], method: str):
    path = objects["name"]
    assert sent(alice, method, path, '"other"', {"name": "new"}).status_code == 412
    assert sent(alice, method, path, alice.get(path)["ETag"], {"name": "new"}).status_code in (200, 204)


def test_actions_of_a_project_check_if_match(alice: Caller, cast: Cast):
    path = f"/api/projects/{cast.web.pk}/"
    before = alice.get(path)
    assert sent(alice, "PATCH", f"{path}reset_token/", '"other"').status_code == 412
    assert alice.get(path).json()["api_token"] == before.json()["api_token"]
    assert sent(alice, "PATCH", f"{path}reset_token/", before["ETag"]).status_code == 200
    assert alice.get(path).json()["api_token"] != before.json()["api_token"]


def test_what_an_answer_shows_of_others_counts(alice: Caller, cast: Cast, objects: dict[str, str]):
    path = objects["content"]
    tag = alice.get(path)["ETag"]
    User.objects.filter(pk=cast.bob.pk).update(first_name="Robert")
    assert sent(alice, "PATCH", path, tag, {"content": "new"}).status_code == 412


def test_a_refusal_comes_before_the_condition(cast: Cast, alice: Caller, objects: dict[str, str]):
    path = objects["content"]
    assert sent(cast.caller(cast.dave), "PATCH", path, '"other"', {}).status_code == 403
    assert sent(Caller(None), "PATCH", path, '"other"', {}).status_code == 401
    assert sent(alice, "PATCH", path.replace("annotations/", "annotations/9"), '"other"', {}).status_code == 404


def test_a_read_ignores_if_match(alice: Caller, objects: dict[str, str]):
    assert sent(alice, "GET", objects["content"], '"other"').status_code == 200


#: A GET that makes a copy is no read (D65).
COPIES = "duplicate_as_static_cohort_"
READS = sampled([name for name, row in MATRIX.items() if row.method == "GET" and COPIES not in name], 2)
OBJECTS = [name for name, row in MATRIX.items() if row.method in ("POST", "PUT", "PATCH") and row.success < 300]
#: What answers something else than the object that its address names.
NOT_THE_OBJECT = "static_cohort_partial_update"


@pytest.mark.parametrize("operation", READS)
def test_every_read_has_a_tag_and_is_304_to_a_caller_that_has_it(cast: Cast, operation: str):
    row = MATRIX[operation]
    alice, path = cast.caller(cast.alice), row.url(cast)
    alice.get("/api/users/@me/")  # notes the key's use, which shows in the key
    for more in ("", "?unknown=1", *(() if "{id}" in row.path else ("?limit=1", "?search=x", "?offset=1&search="))):
        first = alice.get(path + more)
        assert first.status_code == 200
        is_list = isinstance(first.json(), list) or "results" in first.json()
        assert re.fullmatch(r'W/"[^"]+"' if is_list else r'"[^"]+"', first["ETag"]), more
        for method in ("GET", "HEAD"):
            known = alice.request(method, path + more, headers={"If-None-Match": first["ETag"]})
            assert (known.status_code, known.content, known["ETag"]) == (304, b"", first["ETag"]), (method, more)
            assert known["Allow"] == first["Allow"]
            other = alice.request(method, path + more, headers={"If-None-Match": '"other"'})
            assert (other.status_code, other["ETag"]) == (200, first["ETag"]), (method, more)


@pytest.mark.parametrize("way", ["query", "body", "@current", "no slash"])
def test_a_tag_does_not_depend_on_the_way(cast: Cast, way: str):
    note = Annotation.objects.create(organization=cast.acme, project=cast.web, content="x")
    for path in (f"/api/projects/{cast.web.pk}/annotations/{note.pk}/", f"/api/projects/{cast.web.pk}/"):
        key = cast.key(cast.alice)
        tag = Caller(key).get(path)["ETag"]
        match way:
            case "query":
                other = Caller(None).get(f"{path}?personal_api_key={key}")
            case "body":
                other = Caller(None).request("GET", path, {"personal_api_key": key})
            case "@current":
                other = Caller(key).get(path.replace(str(cast.web.pk), "@current", 1))
            case "no slash":
                other = Caller(key).get(path.removesuffix("/"))
        assert (other.status_code, other["ETag"]) == (200, tag)


@pytest.mark.parametrize(
    "operation", [name for name in OBJECTS if not (name.endswith(NOT_THE_OBJECT) or COPIES in name)]
)
def test_a_write_has_the_tag_of_a_read(cast: Cast, operation: str):
    row = MATRIX[operation]
    alice = cast.caller(cast.alice)
    written = row.call(alice, cast)
    assert written.status_code == row.success
    role = RoleMembership.objects.earliest("joined_at").role_id
    path = row.path.partition("{id}")[0].format(project_id=cast.web.pk, organization_id=cast.acme.pk, role_id=role)
    read = alice.get(f"{path}{written.json()['id']}/")
    assert read.status_code == 200, read.content
    assert written["ETag"] == read["ETag"]


def test_a_write_with_values_that_the_database_writes_otherwise(cast: Cast, alice: Caller):
    project = f"/api/projects/{cast.web.pk}/"
    for path, body in (
        (project, {"session_recording_sample_rate": "0.5", "app_urls": ["https://a.example", "https://a.example"]}),
        (project, {"modifiers": {"bounceRateDurationSeconds": 10.0}, "session_recording_sample_rate": 1}),
        (f"{project}annotations/", {"content": "x", "date_marker": "2026-01-01T00:00:00+05:30"}),
        (f"{project}cohorts/", {"name": "x", "filters": all_of(leaf("a", value=[1.0, 1e3, -0.0, 1e22, 1.50]))}),
        (f"{project}cohorts/", {"name": "x", "filters": all_of({"value": {"b": 1, "a": [2]}, **leaf("a")})}),
    ):
        written = alice.patch(path, body) if path == project else alice.post(path, body)
        assert written.status_code in (200, 201), written.content
        read = alice.get(path if path == project else f"{path}{written.json()['id']}/")
        assert written["ETag"] == read["ETag"], body


def test_what_is_computed_stops_no_write(cast: Cast, alice: Caller):
    cohort = Cohort.objects.create(project=cast.web, name="x", is_static=True)
    path = f"/api/projects/{cast.web.pk}/cohorts/{cohort.pk}/"
    before = alice.get(path)["ETag"]
    Cohort.objects.filter(pk=cohort.pk).update(count=5, version=3, is_calculating=True, errors_calculating=1)
    after = alice.get(path)["ETag"]
    assert after != before
    assert alice.client.get(path, headers={"If-None-Match": before}).status_code == 200
    assert sent(alice, "PATCH", path, before, {"description": "new"}).status_code == 200
    assert sent(alice, "PATCH", path, after, {"description": "newer"}).status_code == 412


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_schema_has_a_tag(db: None, client: Client, method: str):
    first = client.get("/api/schema/?format=json")
    again = client.generic(method, "/api/schema/?format=json", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_refusal_has_no_tag(cast: Cast, alice: Caller):
    for response in (
        alice.get(f"/api/projects/{cast.web.pk}/annotations/999/"),
        alice.post(f"/api/projects/{cast.web.pk}/annotations/", {"scope": "nonsense"}),
        Caller(None).get("/api/users/@me/"),
        alice.request("OPTIONS", f"/api/projects/{cast.web.pk}/"),
    ):
        assert "ETag" not in response
