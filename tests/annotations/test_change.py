import pytest
from django.test.utils import CaptureQueriesContext

from annotations.models import Annotation
from core6.analytics.models import Dashboard, Insight
from tests.conftest import Caller, Cast, at_once, invalid, missing
from tests.support.urls import annotations_url as url


@pytest.fixture
def note(cast: Cast) -> Annotation:
    return Annotation.objects.create(
        organization=cast.acme, project=cast.web, content="first", scope="project", created_by=cast.alice
    )


def test_patch_changes_what_it_names_and_nothing_else(cast: Cast, alice: Caller, note: Annotation):
    before = alice.get(url(cast, note)).json()
    response = alice.patch(url(cast, note), {"content": "second"})
    after = response.json()
    assert response.status_code == 200
    assert after.pop("updated_at") > before.pop("updated_at")
    assert after == {**before, "content": "second"}


def test_an_empty_patch_changes_only_updated_at(cast: Cast, alice: Caller, note: Annotation):
    before = alice.get(url(cast, note)).json()
    after = alice.patch(url(cast, note), {}).json()
    assert after["updated_at"] > before["updated_at"]
    assert {**after, "updated_at": 0} == {**before, "updated_at": 0}


def test_patch_by_another_member_keeps_the_creator(cast: Cast, note: Annotation):
    carol = cast.caller(cast.carol)
    assert carol.patch(url(cast, note), {"content": "by Carol"}).json()["created_by"]["email"] == "alice@example.com"


def test_put_with_nothing_keeps_everything(cast: Cast, alice: Caller, note: Annotation):
    before = alice.get(url(cast, note)).json()
    response = alice.put(url(cast, note), {})
    assert response.status_code == 200
    assert {**response.json(), "updated_at": 0} == {**before, "updated_at": 0}


def test_deleting_softly_hides_and_restores(cast: Cast, alice: Caller, note: Annotation):
    response = alice.patch(url(cast, note), {"deleted": True})
    assert (response.status_code, response.json()["deleted"]) == (200, True)
    for gone in (alice.get(url(cast, note)), alice.put(url(cast, note), {})):
        assert (gone.status_code, gone.json()) == (404, missing())
    assert alice.patch(url(cast, note), {"content": "edited while deleted"}).status_code == 200
    assert alice.patch(url(cast, note), {"deleted": False}).status_code == 200
    assert alice.get(url(cast, note)).json()["content"] == "edited while deleted"


def test_delete_is_405_without_a_body_for_any_id(cast: Cast, alice: Caller, note: Annotation):
    for path in (url(cast, note), f"{url(cast)}999999/", f"{url(cast)}nonsense/"):
        response = alice.delete(path)
        assert (response.status_code, response.content) == (405, b"")
        assert response["Allow"] == "GET, PUT, PATCH, HEAD, OPTIONS"
        assert "Content-Type" not in response
    assert alice.get(url(cast, note)).status_code == 200


@pytest.mark.parametrize("key", ["999999", "0", "nope", "1" * 19, "-1", "1.5", "%00", "1%2F2", "१", "a.b", "@current"])
def test_what_is_no_id_is_not_found(cast: Cast, alice: Caller, key: str):
    response = alice.get(f"{url(cast)}{key}/")
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


def test_refused_changes_leave_no_trace(cast: Cast, alice: Caller, note: Annotation):
    response = alice.patch(url(cast, note), {"content": "new", "scope": "recording"})
    assert response.json() == invalid("invalid_input", "Recording scope is deprecated")
    assert alice.get(url(cast, note)).json()["content"] == "first"


def test_a_shared_row_keeps_its_project_until_it_is_shared_no_longer(cast: Cast, alice: Caller, note: Annotation):
    alice.patch(url(cast, note), {"scope": "organization"})
    through_app = url(cast, note, cast.app)
    assert alice.patch(through_app, {"content": "through App"}).status_code == 200
    note.refresh_from_db()
    assert note.project_id == cast.web.pk
    assert alice.patch(through_app, {"scope": "project"}).status_code == 200
    note.refresh_from_db()
    assert note.project_id == cast.app.pk
    assert alice.get(url(cast, note)).status_code == 404
    assert alice.get(through_app).status_code == 200


def test_an_id_that_was_read_may_be_sent_back(cast: Cast, alice: Caller, note: Annotation):
    note.dashboard = Dashboard.objects.create(project=cast.web, name="Launch")
    note.dashboard_item = Insight.objects.create(project=cast.web, name="Signups")
    note.save()
    echo = alice.get(url(cast, note)).json()
    Dashboard.objects.update(deleted=True)
    Insight.objects.update(deleted=True)
    response = alice.patch(url(cast, note), echo)
    assert response.status_code == 200
    assert {**response.json(), "updated_at": 0} == {**echo, "updated_at": 0}


def test_no_row_of_another_organization_can_be_reached(cast: Cast, alice: Caller, note: Annotation):
    theirs = Annotation.objects.create(
        organization=cast.globex, project=cast.globex_web, content="secret", scope="organization"
    )
    own = Annotation.objects.create(organization=cast.globex, project=cast.globex_web, scope="project")
    for row in (theirs, own):
        for project in (cast.web, cast.app):
            path = url(cast, row, project)
            assert alice.get(path).status_code == 404
            assert alice.patch(path, {"content": "mine"}).status_code == 404
            assert alice.put(path, {"content": "mine"}).status_code == 404
        assert alice.get(url(cast, row, cast.globex_web)).status_code == 403
        assert alice.patch(url(cast, row, cast.globex_web), {"content": "mine"}).status_code == 403
    assert not Annotation.objects.filter(content="mine").exists()
    alice.patch(url(cast, note), {"organization": str(cast.globex.pk), "project": cast.globex_web.pk})
    note.refresh_from_db()
    assert (note.organization_id, note.project_id) == (cast.acme.pk, cast.web.pk)
    assert "secret" not in alice.get(url(cast), search="secret", scope="organization").content.decode()


def test_writes_take_a_constant_number_of_queries(
    cast: Cast, alice: Caller, note: Annotation, queries: CaptureQueriesContext
):
    alice.get(url(cast))
    alice.patch(url(cast, note), {"content": "before"})
    with queries:
        alice.post(url(cast), {"content": "x"})
    # key with project, insert of the row with its activity
    assert len(queries) == 2
    with queries:
        alice.patch(url(cast, note), {"content": "x"})
    # key with project, savepoint, the locked row, update with insert of its activity, release
    assert len(queries) == 5


@pytest.mark.django_db(transaction=True)
def test_concurrent_patches_of_different_fields_lose_none(committed_cast: Cast):
    cast = committed_cast
    note = Annotation.objects.create(organization=cast.acme, project=cast.web)
    key = cast.key(cast.alice)
    fields = [("content", "c"), ("scope", "project"), ("creation_type", "GIT"), ("date_marker", "2026-01-01T00:00:00Z")]
    for _ in range(5):
        Annotation.objects.update(content=None, scope="dashboard", creation_type="USR", date_marker=None)
        answers = at_once(len(fields), lambda i: Caller(key).patch(url(cast, note), dict([fields[i]])).status_code)
        assert answers == [200] * len(fields)
        kept = Caller(key).get(url(cast, note)).json()
        assert {name: kept[name] for name, _ in fields} == dict(fields)
