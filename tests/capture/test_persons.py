"""Who an event creates, and what it changes of them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest

from core6.analytics.models import DistinctId, Person
from tests.conftest import Cast
from tests.support.capture.sending import event, event_owners, owners, person_of, persons, sent, the_event

#: The namespace of the uuids of persons in the public documentation of the protocol.
NAMESPACE = UUID("932979b4-65c3-4424-8467-0b66ec27bc22")
UUID_1 = "01900000-0000-7000-8000-000000000001"
UUID_2 = "01900000-0000-7000-8000-000000000002"
WITHOUT = {"$process_person_profile": False}


def properties(cast: Cast, distinct_id: str = "anna") -> dict[str, Any]:
    """Return the properties of a person, but for the one that names the first event."""
    found = person_of(cast.web, distinct_id).properties
    found.pop("$creator_event_uuid", None)
    return dict(found)


def test_the_first_event_of_an_id_creates_its_person(cast: Cast):
    given = event(
        "visit",
        "anna",
        {"$set": {"plan": "pro"}, "$set_once": {"plan": "free", "source": "ad"}},
        uuid=UUID_1,
        timestamp="2026-03-15T10:00:00Z",
    )
    sent(cast.web, given)
    (found,) = persons(cast.web)
    assert found.uuid == uuid5(NAMESPACE, f"{cast.web.pk}:anna")
    assert found.created_at == datetime(2026, 3, 15, 10, tzinfo=UTC)
    assert found.is_identified is False
    assert found.properties == {"plan": "pro", "source": "ad", "$creator_event_uuid": UUID_1}
    assert owners(cast.web) == {"anna": found.uuid}
    assert event_owners(cast.web) == {UUID(UUID_1): found.uuid}


def test_later_events_belong_to_the_same_person_and_change_nothing_of_them(cast: Cast):
    sent(cast.web, event("visit", "anna", uuid=UUID_1, timestamp="2026-03-15T10:00:00Z"))
    before = persons(cast.web)
    sent(cast.web, event("visit", "anna", uuid=UUID_2, timestamp="2026-03-14T10:00:00Z"))
    after = persons(cast.web)
    assert [vars(each)["created_at"] for each in after] == [each.created_at for each in before]
    assert [each.properties for each in after] == [each.properties for each in before]
    assert set(event_owners(cast.web).values()) == {after[0].uuid}


def test_two_projects_know_nothing_of_each_other(cast: Cast):
    for project in (cast.web, cast.app, cast.globex_web):
        sent(project, event("visit", "anna", {"$set": {"project": project.pk}}))
    found = [person_of(project, "anna") for project in (cast.web, cast.app, cast.globex_web)]
    assert len({each.uuid for each in found}) == 3
    assert [each.properties["project"] for each in found] == [cast.web.pk, cast.app.pk, cast.globex_web.pk]


def test_an_id_is_a_text_of_its_own_with_its_case_and_its_blanks(cast: Cast):
    ids = ["anna", "Anna", " anna", "anna ", "anna@example.com", "ünïcode 😀", "'; DROP TABLE x; --", "%", "a" * 200]
    sent(cast.web, *(event("visit", each) for each in ids))
    assert set(owners(cast.web)) == set(ids)
    assert len(persons(cast.web)) == len(ids)


def test_only_false_makes_an_event_personless(cast: Cast):
    values: list[Any] = [True, None, 0, "false", "", [], "False", False]
    sent(cast.web, *(event("visit", f"id-{i}", {"$process_person_profile": each}) for i, each in enumerate(values)))
    assert owners(cast.web).keys() == {f"id-{i}" for i in range(len(values) - 1)}


def test_set_overwrites_and_set_once_does_not(cast: Cast):
    sent(cast.web, event("visit", "anna", {"$set": {"a": 1, "b": 1, "n": None}, "$set_once": {"c": 1}}))
    sent(cast.web, event("visit", "anna", {"$set": {"a": 2}, "$set_once": {"b": 2, "c": 2, "d": 2, "n": 2}}))
    assert properties(cast) == {"a": 2, "b": 1, "c": 1, "d": 2, "n": 2}


def test_values_of_any_kind_are_set_whole(cast: Cast):
    values = {"text": "ü😀", "number": 1.5, "yes": True, "nothing": None, "list": [1, [2]], "object": {"a": {"b": 1}}}
    sent(cast.web, event("$set", "anna", {"$set": values}))
    assert properties(cast) == values
    sent(cast.web, event("$set", "anna", {"$set": {"object": {"c": 2}}}))
    assert properties(cast)["object"] == {"c": 2}


@pytest.mark.parametrize("names", [["a", "missing", 1, None], {"a": 1, "missing": None}])
def test_unset_deletes_by_a_list_or_by_the_names_of_an_object(cast: Cast, names: Any):
    sent(cast.web, event("$set", "anna", {"$set": {"a": 1, "b": 1}}))
    sent(cast.web, event("$set", "anna", {"$unset": names}))
    assert properties(cast) == {"b": 1}


def test_unset_of_another_kind_deletes_nothing(cast: Cast):
    sent(cast.web, event("$set", "anna", {"$set": {"a": 1}}))
    sent(cast.web, *(event("$set", "anna", {"$unset": names}) for names in ("a", 1, None, True, [["a"]])))
    assert properties(cast) == {"a": 1}


def test_a_set_that_is_no_object_is_none(cast: Cast):
    values: tuple[Any, ...] = ("x", 1, None, [], ["a"], True)
    sent(cast.web, *(event("$set", "anna", {"$set": value, "$set_once": value}) for value in values))
    assert properties(cast) == {}


def test_a_group_changes_no_person(cast: Cast):
    given = {"$group_type": "company", "$group_key": "acme", "$browser": "Firefox"}
    sent(cast.web, event("$groupidentify", "anna", {**given, "$set": {"a": 1}}, **{"$set_once": {"b": 1}}))
    assert properties(cast) == {}


@pytest.mark.parametrize("name", ["$exception", "$$heatmap"])
def test_errors_and_heatmaps_never_update_a_person(cast: Cast, name: str):
    sent(cast.web, event("visit", "anna", {"$set": {"a": 1}}))
    sent(cast.web, event(name, "anna", {"$set": {"a": 2}, "$unset": ["a"], "$browser": "Firefox"}))
    sent(cast.web, event(name, "ben", {"$set": {"a": 2}, "$browser": "Firefox"}))
    assert properties(cast) == {"a": 1}
    assert properties(cast, "ben") == {}


def test_identify_alone_sets_properties_and_identifies_nobody(cast: Cast):
    sent(cast.web, event("$identify", "anna", {"$set": {"a": 1}}))
    assert properties(cast) == {"a": 1}
    assert person_of(cast.web, "anna").is_identified is False


def test_what_the_client_knows_of_itself_is_lifted_to_the_person(cast: Cast):
    first = {"utm_source": "ad", "gclid": "g1", "$browser": "Firefox", "$os": "Linux", "$screen_width": 1920, "n": 1}
    sent(cast.web, event("visit", "anna", first))
    lifted = {name: value for name, value in first.items() if name != "n"}
    initial = {f"$initial_{name.removeprefix('$')}": value for name, value in lifted.items()}
    assert properties(cast) == {**lifted, **initial}
    sent(cast.web, event("visit", "anna", {"utm_source": "mail", "utm_anything": "x", "$browser": None}))
    assert properties(cast) == {
        **lifted,
        **initial,
        "utm_source": "mail",
        "utm_anything": "x",
        "$initial_utm_anything": "x",
    }


NAMES = """
    utm_source utm_medium utm_campaign utm_content utm_term gclid fbclid $browser $browser_version $os $os_version
    $device_type $current_url $pathname $referrer $referring_domain $screen_width $screen_height $viewport_width
    $viewport_height $raw_user_agent $app_version $app_build $app_name
"""


def test_each_of_the_named_properties_is_lifted_and_no_other(cast: Cast):
    names = NAMES.split()
    others = ["email", "$lib", "$ip", "$session_id", "utm", "utm_", "xutm_source", "initial_x"]
    sent(cast.web, event("visit", "anna", dict.fromkeys([*names, *others], "v")))
    initial = [f"$initial_{name.removeprefix('$')}" for name in names]
    assert properties(cast) == dict.fromkeys([*names, *initial], "v")


def test_a_server_has_no_operating_system_of_its_person(cast: Cast):
    sent(cast.web, event("visit", "anna", {"$is_server": True, "$os": "Linux", "$os_version": "6", "$browser": "x"}))
    assert properties(cast) == {"$browser": "x", "$initial_browser": "x"}


def test_what_is_set_wins_over_what_is_lifted(cast: Cast):
    given = {"$browser": "Firefox", "$set": {"$browser": "Chrome"}, "$set_once": {"$initial_browser": "Lynx"}}
    sent(cast.web, event("visit", "anna", given))
    assert properties(cast) == {"$browser": "Chrome", "$initial_browser": "Lynx"}


def test_a_personless_event_of_an_unknown_id_is_stored_without_a_person(cast: Cast):
    sent(cast.web, event("visit", "anna", {**WITHOUT, "$set": {"a": 1}, "$browser": "x"}, uuid=UUID_1))
    assert not Person.objects.exists()
    assert not DistinctId.objects.exists()
    assert the_event(cast.web).person_uuid == uuid5(NAMESPACE, f"{cast.web.pk}:anna")


def test_a_personless_event_of_a_known_id_belongs_to_its_person_and_changes_nothing(cast: Cast):
    at = "2026-03-15T10:00:00Z"
    sent(cast.web, event("visit", "anna", {"$set": {"a": 1}}, uuid=UUID_1, timestamp=at))
    for seconds in ("00", "59"):
        given = {**WITHOUT, "$set": {"a": 2}, "$unset": ["a"], "$browser": "x"}
        sent(cast.web, event("visit", "anna", given, timestamp=f"2026-03-15T10:00:{seconds}Z"))
    sent(cast.web, event("visit", "anna", {**WITHOUT, "$set": {"a": 3}}, timestamp="2026-03-15T10:01:00Z"))
    assert properties(cast) == {"a": 1}
    assert set(event_owners(cast.web).values()) == {person_of(cast.web, "anna").uuid}


def test_a_personless_event_more_than_a_minute_later_is_like_any_other(cast: Cast):
    sent(cast.web, event("visit", "anna", timestamp="2026-03-15T10:00:00Z"))
    sent(cast.web, event("visit", "anna", {**WITHOUT, "$set": {"a": 2}}, timestamp="2026-03-15T10:01:00.001Z"))
    assert properties(cast) == {"a": 2}


def test_earlier_personless_events_belong_to_the_person_who_is_created_later(cast: Cast):
    sent(cast.web, event("visit", "anna", WITHOUT, uuid=UUID_1))
    sent(cast.web, event("visit", "anna", uuid=UUID_2))
    assert set(event_owners(cast.web).values()) == {person_of(cast.web, "anna").uuid}
