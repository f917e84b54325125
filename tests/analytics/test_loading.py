import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from core6.analytics import loading
from core6.analytics.models import DistinctId, Event, Person
from core6.analytics.record_values import BadRecord

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
TOMORROW = datetime(2026, 3, 16, 12, tzinfo=UTC)
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
GIVEN = "0195a0c0-0000-7000-8000-000000000001"
OTHER = "0195a0c0-0000-7000-8000-000000000002"
WEB, APP = 1, 2


def persons(*records: dict[str, Any], project_id: int = WEB, now: datetime = NOW) -> None:
    loading.load_persons(project_id, enumerate(records), now=now)


def events(*records: dict[str, Any], project_id: int = WEB, now: datetime = NOW) -> None:
    loading.load_events(project_id, enumerate(records), now=now)


def visit(distinct_id: str, timestamp: str = "2026-01-02T00:00:00Z", **given: Any) -> dict[str, Any]:
    return {"distinct_id": distinct_id, "event": "$pageview", "timestamp": timestamp, **given}


def owner(distinct_id: str, project_id: int = WEB) -> Person:
    name = DistinctId.objects.get(project_id=project_id, distinct_id=distinct_id)
    return Person.objects.get(project_id=project_id, uuid=name.person_uuid)


def versions() -> list[tuple[Any, ...]]:
    """Return every row with the number of the transaction that wrote it, and its place: both change with a write."""
    found: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        for table in ("person", "distinctid", "event"):
            cursor.execute(f"SELECT ctid::text, t::text FROM analytics_{table} t ORDER BY 1")
            found += cursor.fetchall()
    return found


def test_a_person_gets_what_the_record_gives():
    persons(
        {
            "distinct_ids": ["p1", "alice"],
            "uuid": GIVEN,
            "properties": {"plan": "pro", "path": "a\\b\t\n", "none": None, "emoji": "😀"},
            "created_at": "2026-01-01T00:00:00Z",
            "is_identified": True,
        }
    )
    assert owner("p1") == owner("alice")
    assert Person.objects.values().get() == {
        "project_id": WEB,
        "uuid": uuid.UUID(GIVEN),
        "properties": {"plan": "pro", "path": "a\\b\t\n", "none": None, "emoji": "😀"},
        "created_at": JANUARY,
        "is_identified": True,
    }


def test_a_person_with_only_a_distinct_id_is_new_and_anonymous():
    persons({"distinct_ids": ["p1", "p1"]})
    person = owner("p1")
    assert (person.properties, person.is_identified) == ({}, False)
    assert (person.uuid.version, person.uuid.variant) == (7, uuid.RFC_4122)
    # The first 48 bits are milliseconds.
    assert abs((person.uuid.int >> 80) / 1000 - datetime.now(UTC).timestamp()) < 60


def test_a_distinct_id_may_hold_any_character():
    names = ["a\tb", "c\nd", "e\\f", r"\N", "g\rh", "'\"", "😀", r"\u0000"]
    persons({"distinct_ids": names})
    events(*(visit(name, event=name) for name in names))
    assert set(DistinctId.objects.values_list("distinct_id", flat=True)) == set(names)
    assert set(Event.objects.values_list("event", "distinct_id")) == {(name, name) for name in names}


def test_a_known_distinct_id_names_the_person_to_update():
    persons({"distinct_ids": ["p1"], "properties": {"plan": "free", "age": 31}, "is_identified": True})
    before = owner("p1")
    persons({"distinct_ids": ["p2", "p1"], "properties": {"plan": "pro"}, "created_at": "2026-01-01"})
    after = owner("p2")
    assert (after.uuid, after.properties, after.is_identified) == (before.uuid, {"plan": "pro"}, True)
    assert after.created_at == JANUARY


def test_what_a_later_record_leaves_out_stays():
    persons({"distinct_ids": ["p1"], "properties": {"a": 1}, "created_at": "2026-01-01", "is_identified": True})
    persons({"distinct_ids": ["p1"]})
    person = owner("p1")
    assert (person.properties, person.created_at, person.is_identified) == ({"a": 1}, JANUARY, True)


def test_records_of_one_person_merge_in_their_order():
    persons(
        {"distinct_ids": ["a", "b"], "properties": {"n": 1}, "is_identified": True},
        {"distinct_ids": ["b", "c"], "properties": {"n": 2}},
        {"distinct_ids": ["c", "d"], "created_at": "2026-01-01"},
        {"distinct_ids": ["other"], "properties": {"n": 9}},
    )
    person = owner("d")
    assert owner("a") == owner("b") == owner("c") == person
    assert (person.properties, person.created_at, person.is_identified) == ({"n": 2}, JANUARY, True)
    assert Person.objects.count() == 2


def test_a_long_chain_of_records_is_one_person():
    persons(*({"distinct_ids": [str(i), str(i + 1)], "properties": {"n": i}} for i in range(500)))
    assert Person.objects.get().properties == {"n": 499}
    assert DistinctId.objects.count() == 501


def test_a_chain_that_begins_at_a_stored_person_is_that_person():
    persons({"distinct_ids": ["a"]})
    known = owner("a")
    persons({"distinct_ids": ["a", "b"]}, {"distinct_ids": ["b", "c"]}, {"distinct_ids": ["c", "d"]})
    assert owner("d") == known
    assert Person.objects.count() == 1


def test_a_person_is_found_by_uuid_when_the_distinct_id_is_new():
    persons({"distinct_ids": ["a"], "uuid": GIVEN})
    persons({"distinct_ids": ["b"], "uuid": GIVEN.upper()})
    assert owner("a") == owner("b")


@pytest.mark.parametrize("records", [[["a"], ["b"], ["a", "b"]], [["a"], ["x"], ["x", "b"], ["b", "a"]]])
def test_a_record_that_names_two_persons_is_refused(records: list[list[str]]):
    with pytest.raises(BadRecord) as refusal, transaction.atomic():
        persons(*({"distinct_ids": names} for names in records))
    assert (refusal.value.position, refusal.value.field) == (len(records) - 1, "distinct_ids")
    assert refusal.value.why.endswith("belongs to another person than the names beside it")
    assert not Person.objects.exists()


def test_a_record_that_names_two_stored_persons_is_refused():
    persons({"distinct_ids": ["a"]}, {"distinct_ids": ["b"]})
    with pytest.raises(BadRecord, match=r"distinct_ids: '[ab]' belongs to another person"), transaction.atomic():
        persons({"distinct_ids": ["c"]}, {"distinct_ids": ["a", "b"]})


def test_a_uuid_other_than_the_persons_is_refused():
    persons({"distinct_ids": ["a"], "uuid": GIVEN})
    with pytest.raises(BadRecord) as refusal, transaction.atomic():
        persons({"distinct_ids": ["a"], "uuid": OTHER})
    assert str(refusal.value) == "uuid: the person of these distinct ids has another uuid"


def test_a_relative_time_is_the_creation_of_a_new_person_only():
    persons({"distinct_ids": ["a"], "created_at": "-3d"})
    persons({"distinct_ids": ["a"], "created_at": "-3d"}, now=TOMORROW)
    assert owner("a").created_at == datetime(2026, 3, 12, 12, tzinfo=UTC)


def test_an_event_belongs_to_the_owner_of_its_distinct_id():
    persons({"distinct_ids": ["a", "b"]})
    events(visit("b", uuid=GIVEN, properties={"path": "/"}))
    assert Event.objects.values().get() == {
        "project_id": WEB,
        "uuid": uuid.UUID(GIVEN),
        "event": "$pageview",
        "distinct_id": "b",
        "person_uuid": owner("a").uuid,
        "timestamp": datetime(2026, 1, 2, tzinfo=UTC),
        "properties": {"path": "/"},
    }


def test_events_of_an_unknown_distinct_id_make_a_person_as_old_as_the_first_of_them():
    events(visit("new", "2026-01-05"), visit("new", "2026-01-01"), visit("new", "2026-01-03"), visit("newer"))
    person = owner("new")
    assert (person.properties, person.is_identified, person.created_at) == ({}, False, JANUARY)
    assert Person.objects.count() == 2
    assert set(Event.objects.filter(distinct_id="new").values_list("person_uuid", flat=True)) == {person.uuid}


def test_equal_events_at_different_places_are_different_events():
    events(visit("a"), visit("a"))
    assert Event.objects.count() == 2


def test_an_event_whose_uuid_is_stored_stays_as_it_is():
    events(visit("a", uuid=GIVEN))
    events(visit("b", uuid=GIVEN, event="other"))
    assert Event.objects.get().event == "$pageview"
    assert not DistinctId.objects.filter(distinct_id="b").exists()


def test_of_two_events_with_one_uuid_one_is_stored():
    events(visit("a", uuid=GIVEN), visit("a", uuid=GIVEN))
    assert Event.objects.count() == 1


def test_a_second_run_changes_no_row_even_the_next_day():
    people: list[dict[str, Any]] = [
        {"distinct_ids": ["a", "b"], "properties": {"n": 1.0}, "created_at": "-3d"},
        {"distinct_ids": ["c"]},
    ]
    happened = [visit("a", "-12h"), visit("a", "-12h"), visit("unknown", "-1w"), visit("c", uuid=GIVEN)]
    persons(*people)
    events(*happened)
    before = versions()
    persons(*people, now=TOMORROW)
    events(*happened, now=TOMORROW)
    assert versions() == before
    assert len(before) == 3 + 4 + 4


def test_another_projects_people_are_not_touched():
    persons({"distinct_ids": ["a"], "uuid": GIVEN, "properties": {"n": 1}}, project_id=APP)
    events(visit("a", uuid=OTHER), project_id=APP)
    persons({"distinct_ids": ["a"], "uuid": GIVEN, "properties": {"n": 2}})
    events(visit("a", uuid=OTHER, event="other"))
    assert owner("a", APP).properties == {"n": 1}
    assert owner("a", WEB).properties == {"n": 2}
    assert Event.objects.get(project_id=APP).event == "$pageview"
    assert Event.objects.get(project_id=WEB).event == "other"


def test_every_statement_on_the_people_tables_binds_the_project():
    with CaptureQueriesContext(connection) as queries:
        persons({"distinct_ids": ["a"]}, project_id=987654321)
        events(visit("b"), project_id=987654321)
        loading.owners(987654321, ["a"])
    sent = [query["sql"] for query in queries if "analytics_" in query["sql"]]
    assert len(sent) == 11
    assert [sql for sql in sent if "987654321" not in sql] == []


def test_nothing_temporary_is_left():
    persons({"distinct_ids": ["a"]})
    events(visit("b"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'")
        assert cursor.fetchall() == []


def test_a_bad_record_is_named_by_its_position_and_nothing_is_written():
    with pytest.raises(BadRecord) as refusal, transaction.atomic():
        events(visit("a"), visit("b"), visit("c", "soon"))
    assert (refusal.value.position, refusal.value.field) == (2, "timestamp")
    assert not Event.objects.exists()


def test_an_error_of_the_driver_is_raised_as_one_of_django(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loading, "event_row", lambda *_: "no row\n")
    with pytest.raises(DatabaseError) as refusal, transaction.atomic():
        events(visit("a"))
    assert isinstance(refusal.value.__cause__, psycopg.DataError)


def test_owners_are_found_by_distinct_id():
    persons({"distinct_ids": ["a", "b"], "uuid": GIVEN})
    assert loading.owners(WEB, ["a", "b", "unknown"]) == {"a": GIVEN, "b": GIVEN}
    assert loading.owners(APP, ["a"]) == {}


@pytest.mark.django_db(transaction=True)
def test_indexes_answer_alone_after_a_load():
    """Such a scan reads the rows themselves, page by page, until a vacuum has marked them as visible to all."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = on")  # else a vacuum cannot know at once what is committed
        events(*(visit(f"visitor-{i}") for i in range(2000)))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relallvisible < relpages"
            " AND relname IN ('analytics_event', 'analytics_person', 'analytics_distinctid')"
        )
        assert cursor.fetchall() == []
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname = 'analytics_event' AND relallvisible > 0")
        assert cursor.fetchone() == (1,)
