"""`If-Match`: a write that is meant for another state of the object is 412 and changes nothing."""

from typing import Any

import pytest

from annotations.models import Annotation
from cohorts.models import Cohort
from core6.accounts.models import User
from roles.models import Role
from tests.conftest import Caller, Cast


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
def test_what_fits(alice: Caller, objects: dict[str, str], tag: str):
    for path, body in bodies(objects):
        known = tag.replace("{tag}", alice.get(path)["ETag"])
        assert sent(alice, "PATCH", path, known, body).status_code == 200


@pytest.mark.parametrize("tag", ['"other"', "W/{tag}", "nonsense"])
def test_what_does_not_fit(alice: Caller, objects: dict[str, str], tag: str):
    for path, body in bodies(objects):
        before = alice.get(path)
        known = tag.replace("{tag}", before["ETag"])
        assert sent(alice, "PATCH", path, known, body).status_code == 412
        assert alice.get(path)["ETag"] == before["ETag"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_every_method_that_changes_heeds_it(alice: Caller, objects: dict[str, str], method: str):
    path = objects["name"]
    assert sent(alice, method, path, '"other"', {"name": "new"}).status_code == 412
    assert sent(alice, method, path, alice.get(path)["ETag"], {"name": "new"}).status_code in (200, 204)


def test_actions_of_a_project_heed_it(alice: Caller, cast: Cast):
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


def test_refusals_come_first(cast: Cast, alice: Caller, objects: dict[str, str]):
    path = objects["content"]
    assert sent(cast.caller(cast.dave), "PATCH", path, '"other"', {}).status_code == 403
    assert sent(Caller(None), "PATCH", path, '"other"', {}).status_code == 401
    assert sent(alice, "PATCH", path.replace("annotations/", "annotations/9"), '"other"', {}).status_code == 404


def test_reads_do_not_heed_it(alice: Caller, objects: dict[str, str]):
    assert sent(alice, "GET", objects["content"], '"other"').status_code == 200
