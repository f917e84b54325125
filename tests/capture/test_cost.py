"""What a request of events costs: a fixed number of statements, and no page of the API that becomes old (E4, E15)."""

from typing import Any
from uuid import UUID

import pytest
from django.test.utils import CaptureQueriesContext

from cohorts.models import Cohort
from core6.activity.models import ActivityLog
from core6.analytics.models import Event, Person
from core6.revisions.models import Revision
from projects.models import Project
from tests.conftest import Caller, Cast
from tests.support.capture.sending import event, event_owners, identified, person_of, send, sent, stored
from tests.support.cohorts.people import waiting
from tests.support.database_state import state

UUID_1 = "01900000-0000-7000-8000-000000000001"


@pytest.fixture
def project(cast: Cast) -> Project:
    """A project that has had an event already."""
    Project.objects.filter(pk=cast.web.pk).update(ingested_event=True)
    return cast.web


def of_new_people(first: int, count: int) -> list[dict[str, Any]]:
    return [event("visit", f"id-{first + number}", {"$set": {"n": number}}) for number in range(count)]


def of_merges(first: int, count: int) -> list[dict[str, Any]]:
    return [identified(f"id-{first + number}", f"anonymous-{first + number}") for number in range(count)]


def of_merged_persons(first: int, count: int) -> list[dict[str, Any]]:
    return [
        each
        for number in range(first, first + count)
        for each in (
            event("visit", f"a-{number}"),
            event("visit", f"b-{number}"),
            identified(f"a-{number}", f"b-{number}"),
        )
    ]


@pytest.mark.parametrize("make", [of_new_people, of_merges, of_merged_persons])
def test_a_batch_of_a_hundred_needs_no_more_statements_than_one_of_two(
    project: Project, queries: CaptureQueriesContext, make: Any
):
    counts = []
    sent(project, *make(0, 2))
    for first, count in ((100, 2), (200, 100)):
        with queries:
            sent(project, *make(first, count))
        counts.append(len(queries))
    assert counts[0] == counts[1] < 25


def test_events_of_known_people_need_fewer_statements(project: Project, queries: CaptureQueriesContext):
    counts = []
    for _ in range(2):
        with queries:
            sent(project, *of_new_people(0, 10))
        counts.append(len(queries))
    assert counts[1] < counts[0]


def test_a_retry_is_accepted_and_stores_nothing_twice(project: Project):
    given = [
        event("visit", "anna", {"$set": {"a": 1}}, uuid=UUID_1),
        identified("anna", "anonymous-1", uuid=f"{UUID_1[:-1]}2"),
    ]
    sent(project, *given)
    before = state()
    sent(project, *given)
    sent(project, given[1], given[1], given[0])
    assert state() == before
    assert len(waiting()) == 1


def test_the_first_event_of_a_uuid_counts(project: Project):
    sent(project, event("visit", "anna", uuid=UUID_1), event("other", "ben", {"$set": {"a": 1}}, uuid=UUID_1))
    sent(project, event("third", "cleo", uuid=UUID_1), event("fourth", "dora", uuid=UUID_1))
    assert stored(project) == [("visit", "anna")]
    assert Person.objects.count() == 1


def test_the_same_uuid_in_two_projects_is_two_events(cast: Cast):
    for project in (cast.web, cast.app):
        sent(project, event("visit", "anna", uuid=UUID_1))
    assert Event.objects.filter(uuid=UUID_1).count() == 2


def test_an_event_without_a_uuid_gets_one_each_time(project: Project):
    sent(project, event("visit", "anna"), event("visit", "anna"), event("visit", "anna", uuid=""))
    sent(project, event("visit", "anna", uuid=None))
    assert len({each.version for each in event_owners(project)}) == 1
    assert len(event_owners(project)) == 4


def test_a_client_may_choose_any_uuid(project: Project):
    for number, uuid in enumerate(("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")):
        sent(project, event("visit", f"id-{number}", uuid=uuid))
    assert {each.int for each in event_owners(project)} == {0, 2**128 - 1}
    assert UUID(int=0) in event_owners(project)


def revisions() -> list[Any]:
    """Return what the tables of the API count of their changes."""
    return list(Revision.objects.order_by("pk").values())


@pytest.fixture
def pages(project: Project, cast: Cast, alice: Caller) -> list[tuple[str, str]]:
    """The lists of the organization with their tags."""
    at = f"/api/projects/{project.pk}"
    alice.post(f"{at}/annotations/", {"content": "x", "scope": "project"})
    Cohort.objects.create(project=project, is_static=True, count=0)
    paths = [
        f"{at}/annotations/",
        f"{at}/cohorts/",
        "/api/projects/",
        f"/api/organizations/{cast.acme.pk}/roles/",
        f"{at}/",
    ]
    return [(path, alice.get(path)["ETag"]) for path in paths]


def test_events_make_no_page_of_the_organization_old(project: Project, alice: Caller, pages: list[tuple[str, str]]):
    before = revisions()
    activity = list(ActivityLog.objects.order_by("pk").values())
    sent(project, event("visit", "anna", {"$set": {"a": 1}}), event("visit", "ben"), identified("anna", "anonymous-1"))
    sent(project, event("$merge_dangerously", "ben", {"alias": "anna"}))
    assert person_of(project, "anna").uuid == person_of(project, "ben").uuid
    assert revisions() == before
    assert list(ActivityLog.objects.order_by("pk").values()) == activity
    for path, tag in pages:
        assert alice.client.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_the_first_event_makes_them_old_once(cast: Cast):
    found = [revisions()]
    for name in ("anna", "ben"):
        sent(cast.web, event("visit", name))
        found.append(revisions())
    assert found[0] != found[1] == found[2]


def test_a_refused_request_leaves_no_trace(project: Project):
    before = state()
    assert send(project, event("visit", "anna"), event("", "anna")).status_code == 400
    assert state() == before
