"""Which persons become one, and what that one has."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest

from core6.analytics.models import DistinctId, Person, PersonOverride
from core6.capture.people import is_illegal
from tests.capture.test_persons import NAMESPACE, UUID_1, UUID_2, WITHOUT, properties
from tests.conftest import Cast
from tests.support.capture.sending import (
    event,
    event_owners,
    identified,
    merging,
    owners,
    person_of,
    persons,
    sent,
)

ALIASES = ["$create_alias", "$merge_dangerously"]
EARLY, LATE = "2026-03-14T10:00:00Z", "2026-03-15T10:00:00Z"


def together(cast: Cast, *ids: str) -> bool:
    """Return whether the ids are those of one person, who has no other ones."""
    found = owners(cast.web)
    wanted = {found.get(each) for each in ids}
    return len(wanted) == 1 and {each for each, owner in found.items() if owner in wanted} == set(ids)


@pytest.mark.parametrize("name", ["$identify", *ALIASES])
def test_two_unknown_ids_become_one_identified_person(cast: Cast, name: str):
    sent(cast.web, merging(name, "anna", "anonymous-1", uuid=UUID_1, timestamp=LATE))
    (found,) = persons(cast.web)
    assert together(cast, "anna", "anonymous-1")
    assert found.uuid == uuid5(NAMESPACE, f"{cast.web.pk}:anna")
    assert (found.is_identified, found.created_at) == (True, datetime(2026, 3, 15, 10, tzinfo=UTC))
    assert found.properties == {"$creator_event_uuid": UUID_1}


@pytest.mark.parametrize("name", ["$identify", *ALIASES])
@pytest.mark.parametrize("known", ["anna", "anonymous-1"])
def test_an_unknown_id_is_added_to_the_person_of_the_other(cast: Cast, name: str, known: str):
    sent(cast.web, event("visit", known, {"$set": {"a": 1}}, timestamp=EARLY))
    before = person_of(cast.web, known)
    sent(cast.web, merging(name, "anna", "anonymous-1", timestamp=LATE))
    (after,) = persons(cast.web)
    assert together(cast, "anna", "anonymous-1")
    assert (after.uuid, after.created_at, after.is_identified) == (before.uuid, before.created_at, True)
    assert properties(cast) == {"a": 1}


@pytest.mark.parametrize("name", ["$identify", *ALIASES])
def test_two_persons_become_the_one_of_the_distinct_id(cast: Cast, name: str):
    sent(cast.web, event("visit", "anonymous-1", {"$set": {"a": 1, "b": 1}}, uuid=UUID_1, timestamp=EARLY))
    sent(cast.web, event("visit", "anna", {"$set": {"a": 2, "c": 2}}, uuid=UUID_2, timestamp=LATE))
    survivor = person_of(cast.web, "anna").uuid
    sent(cast.web, merging(name, "anna", "anonymous-1", timestamp=LATE))
    (found,) = persons(cast.web)
    assert together(cast, "anna", "anonymous-1")
    assert (found.uuid, found.is_identified) == (survivor, True)
    assert found.created_at == datetime(2026, 3, 14, 10, tzinfo=UTC)
    assert properties(cast) == {"a": 2, "b": 1, "c": 2}
    assert set(event_owners(cast.web).values()) == {survivor}


def test_the_properties_of_the_event_come_after_the_merge(cast: Cast):
    sent(cast.web, event("visit", "anonymous-1", {"$set": {"a": 1, "b": 1, "c": 1}}))
    given = {"$anon_distinct_id": "anonymous-1", "$set": {"a": 2}, "$set_once": {"b": 2, "d": 2}, "$unset": ["c"]}
    sent(cast.web, event("$identify", "anna", given))
    assert properties(cast) == {"a": 2, "b": 1, "d": 2}


@pytest.mark.parametrize("name", ["$identify", *ALIASES])
def test_ids_of_one_person_change_nothing(cast: Cast, name: str):
    sent(cast.web, merging(name, "anna", "anonymous-1", timestamp=EARLY))
    before = [(each.uuid, each.properties, each.created_at) for each in persons(cast.web)]
    sent(cast.web, merging(name, "anna", "anonymous-1", timestamp=LATE), merging(name, "anonymous-1", "anna"))
    sent(cast.web, merging(name, "anna", "anna"))
    assert [(each.uuid, each.properties, each.created_at) for each in persons(cast.web)] == before


def test_an_id_that_is_merged_with_itself_is_not_identified(cast: Cast):
    sent(cast.web, merging("$identify", "anna", "anna"))
    assert person_of(cast.web, "anna").is_identified is False


@pytest.mark.parametrize("name", ["$identify", "$create_alias"])
def test_an_identified_person_is_not_merged_away(cast: Cast, name: str):
    sent(cast.web, identified("ben", "anonymous-1"), event("visit", "anna"))
    sent(cast.web, merging(name, "anna", "ben", uuid=UUID_1))
    assert together(cast, "ben", "anonymous-1")
    assert together(cast, "anna")
    assert event_owners(cast.web)[UUID(UUID_1)] == person_of(cast.web, "anna").uuid
    assert person_of(cast.web, "anna").is_identified is False
    # Into it others are merged as before, and an id without a person is added to it.
    sent(cast.web, event("visit", "cleo"), merging(name, "ben", "cleo"), merging(name, "dora", "ben"))
    assert together(cast, "ben", "cleo", "dora", "anonymous-1")


def test_a_refused_merge_is_a_warning_in_the_log(cast: Cast, caplog: pytest.LogCaptureFixture):
    sent(cast.web, identified("ben", "anonymous-1"), event("visit", "anna"))
    sent(cast.web, merging("$identify", "anna", "ben"), merging("$create_alias", "anna", "null"))
    noted: list[Any] = [record.msg for record in caplog.records if record.name == "core6.capture.views"]
    assert [each["reason"] for each in noted if each["event"] == "merge_refused"] == [
        "The person of 'ben' is identified already, and is not merged.",
        "The distinct id 'null' is not merged: it is not one of a person.",
    ]


def test_merge_dangerously_merges_the_identified_too(cast: Cast):
    sent(cast.web, identified("ben", "anonymous-1"), identified("anna", "anonymous-2"))
    sent(cast.web, merging("$merge_dangerously", "anna", "ben"))
    assert together(cast, "anna", "ben", "anonymous-1", "anonymous-2")


def test_other_events_merge_nothing(cast: Cast):
    for name in ("visit", "$set", "$groupidentify", "$exception"):
        sent(cast.web, event(name, "anna", {"alias": "ben", "$anon_distinct_id": "cleo"}))
    sent(cast.web, event("$identify", "anna", {"alias": "ben"}))
    sent(cast.web, event("$create_alias", "anna", {"$anon_distinct_id": "cleo"}))
    assert together(cast, "anna")
    assert len(owners(cast.web)) == 1


def test_a_personless_event_merges_nothing(cast: Cast):
    sent(cast.web, event("$identify", "anna", {**WITHOUT, "$anon_distinct_id": "anonymous-1"}))
    assert not Person.objects.exists()


@pytest.mark.parametrize("name", ["$identify", *ALIASES])
def test_no_id_merges_nothing(cast: Cast, name: str):
    nothing: tuple[Any, ...] = (None, "", False, 0, [], {})
    sent(cast.web, *(merging(name, "anna", other) for other in nothing))
    assert owners(cast.web).keys() == {"anna"}
    assert person_of(cast.web, "anna").is_identified is False


def test_an_id_that_is_no_text_is_the_text_of_its_json(cast: Cast):
    sent(cast.web, merging("$create_alias", "anna", 12), merging("$create_alias", "anna", {"id": 1}))
    assert together(cast, "anna", "12", '{"id":1}')


FOLDED = "anonymous guest distinctid distinct_id id not_authenticated email undefined true false".split()
ILLEGAL = [
    *(*FOLDED, *(each.upper() for each in FOLDED), "Guest", "Email"),
    *("[object Object]", "NaN", "None", "none", "null", "0", " ", "\t", "x" * 401),
    *('"null"', "'null'", '"Guest"', "'0'", '""', "' '", "\"'null'\""),
]
LEGAL = ["Null", "NULL", "nan", "NONE", "00", "guest1", "guest ", "my_id", "x" * 400, "[object object]", "'", '"null']


def test_an_id_of_nobody_is_never_merged(cast: Cast):
    for number, each in enumerate(ILLEGAL):
        sent(cast.web, *(merging(name, f"anna-{number}", each) for name in ("$identify", *ALIASES)))
        if each.strip() and len(each) <= 200:
            sent(cast.web, merging("$create_alias", each, f"ben-{number}"))
    found = owners(cast.web)
    assert len(set(found.values())) == len(found) == len(persons(cast.web))
    assert {f"anna-{number}" for number in range(len(ILLEGAL))} < found.keys()
    assert not [each for each in found if each.startswith("ben-")]
    assert not Person.objects.filter(is_identified=True).exists()


def test_what_only_looks_like_it_is_merged(cast: Cast):
    sent(cast.web, *(merging("$identify", f"anna-{number}", each) for number, each in enumerate(LEGAL)))
    assert [each for number, each in enumerate(LEGAL) if not together(cast, f"anna-{number}", each)] == []


def test_an_id_of_nobody_is_known_as_such():
    assert [each for each in [*ILLEGAL, "a\0b"] if not is_illegal(each)] == []
    assert [each for each in LEGAL if is_illegal(each)] == []


@pytest.mark.parametrize("is_person_first", [True, False])
def test_personless_events_of_an_id_belong_to_the_person_that_it_is_merged_into(cast: Cast, *, is_person_first: bool):
    events = [event("visit", "anonymous-1", WITHOUT, uuid=UUID_1), event("visit", "anna", uuid=UUID_2)]
    sent(cast.web, *(events[::-1] if is_person_first else events))
    sent(cast.web, identified("anna", "anonymous-1"))
    assert together(cast, "anna", "anonymous-1")
    assert set(event_owners(cast.web).values()) == {person_of(cast.web, "anna").uuid}
    # Of one that arrives later, though it happened before.
    sent(cast.web, event("visit", "anonymous-1", WITHOUT, timestamp=EARLY))
    assert set(event_owners(cast.web).values()) == {person_of(cast.web, "anna").uuid}


def test_a_chain_of_merges_in_one_request_and_in_several_has_the_same_end(cast: Cast):
    events = [
        event("visit", "a", uuid=UUID_1),
        merging("$merge_dangerously", "b", "a"),
        merging("$merge_dangerously", "c", "b"),
        merging("$merge_dangerously", "d", "c"),
        event("visit", "a", uuid=UUID_2),
    ]
    sent(cast.web, *events)
    for each in events:
        sent(cast.app, each)
    for project in (cast.web, cast.app):
        assert len(set(owners(project).values())) == len(persons(project)) == 1
        assert set(event_owners(project).values()) == {persons(project)[0].uuid}
        assert PersonOverride.objects.filter(project_id=project.pk, old_uuid=persons(project)[0].uuid).count() == 0


def test_an_id_beyond_those_of_the_request_moves_along(cast: Cast):
    sent(cast.web, identified("ben", "anonymous-1"), merging("$create_alias", "ben", "ben@example.com"))
    sent(cast.web, event("visit", "anna"), merging("$merge_dangerously", "anna", "ben"))
    assert together(cast, "anna", "ben", "anonymous-1", "ben@example.com")
    assert not DistinctId.objects.exclude(person_uuid=person_of(cast.web, "anna").uuid).exists()
