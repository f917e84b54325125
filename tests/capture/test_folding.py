"""The job that writes merges into events (E13)."""

from uuid import UUID

from core6.analytics.models import Event, PersonOverride
from core6.capture.folding import fold
from tests.conftest import Cast
from tests.support.capture.sending import event, event_owners, merging, owners, person_of, sent
from tests.support.cohorts.people import waiting, work


def test_a_merge_does_not_rewrite_events_until_a_job_does(cast: Cast):
    sent(cast.web, *(event("visit", each) for each in ("a", "b", "c")))
    before = dict(Event.objects.values_list("uuid", "person_uuid"))
    sent(cast.web, merging("$merge_dangerously", "b", "a"))
    sent(cast.web, merging("$merge_dangerously", "c", "b"))
    written = dict(Event.objects.values_list("uuid", "person_uuid"))
    assert {uuid: written[uuid] for uuid in before} == before
    assert len(set(owners(cast.web).values())) == 1
    jobs = [arguments for task, arguments in waiting() if task == "core6.capture.tasks.fold_merges"]
    assert jobs == [{"project_id": cast.web.pk}]
    effective = event_owners(cast.web)
    assert set(effective.values()) == {person_of(cast.web, "c").uuid}
    fold(cast.web.pk)
    assert dict(Event.objects.values_list("uuid", "person_uuid")) == effective
    assert not PersonOverride.objects.exists()


def test_an_event_of_any_uuid_is_folded(cast: Cast):
    edges = [edge for border in range(17) for edge in (border << 124, (border << 124) - 1) if 0 <= edge < 2**128]
    sent(cast.web, *(event("visit", "a", uuid=str(UUID(int=each))) for each in edges))
    sent(cast.web, event("visit", "b"), merging("$create_alias", "b", "a"))
    fold(cast.web.pk)
    assert set(Event.objects.values_list("person_uuid", flat=True)) == {person_of(cast.web, "b").uuid}


def test_folding_leaves_other_projects_alone(cast: Cast):
    for project in (cast.web, cast.app):
        sent(project, event("visit", "a"), event("visit", "b"), merging("$create_alias", "b", "a"))
    fold(cast.web.pk)
    assert set(PersonOverride.objects.values_list("project_id", flat=True)) == {cast.app.pk}
    assert len(set(event_owners(cast.app).values())) == 1
    fold(cast.web.pk)
    fold(987654)


def test_a_merge_queues_one_job_and_the_job_folds(cast: Cast):
    for each in ("a", "b", "c"):
        sent(cast.web, event("visit", each))
        sent(cast.web, merging("$merge_dangerously", "d", each))
    assert len(waiting()) == 1
    assert work() == 1
    assert not PersonOverride.objects.exists()
    assert set(Event.objects.values_list("person_uuid", flat=True)) == {person_of(cast.web, "d").uuid}
    sent(cast.web, event("visit", "e"), merging("$create_alias", "d", "e"))
    assert len(waiting()) == 1


def test_events_without_a_merge_queue_no_job(cast: Cast):
    sent(cast.web, event("visit", "a"), event("$identify", "a", {"$set": {"a": 1}}))
    assert waiting() == []
