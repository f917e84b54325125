import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from cohorts.members.store import (
    add_members,
    count_members,
    delete_members,
    remove_member,
    replace_members,
    select_persons,
)
from cohorts.sql.compile import NoCriteria, TooLarge
from cohorts.sql.property_values import CompileError
from tests.support.cohorts.compiling import PROJECT, ago, behavior, found, people, prop, refused, statement, uuid_of
from tests.support.cohorts.evaluator import Event
from tests.support.cohorts.populations import NOW

HOSTILE = [
    "'; DROP TABLE analytics_person; --",
    '"',
    "%s %(a)s %",
    "{name} {text} {json}",
    "\\",
    "$1 $$",
    "日🦔",
    "--",
    "/*",
]
KINDS = """
    performed_event performed_event_multiple performed_event_first_time performed_event_sequence
    performed_event_regularly stopped_performing_event restarted_performing_event
""".split()
TABLES = r"(?:FROM|JOIN|UPDATE|INTO) +(analytics_person|analytics_event|cohorts_cohortmember)\b(?: (?:AS )?(\w+))?"


def every_kind(kind: str, **more: Any) -> dict[str, Any]:
    other = {"seq_event": "f", "seq_event_type": "events", "seq_time_value": 2, "seq_time_interval": "day"}
    counts = {"operator": "gte", "operator_value": 1, "min_periods": 1, "total_periods": 3}
    return behavior(kind, **{**other, **counts, **more})


def cohort(number: int, **more: Any) -> dict[str, Any]:
    return {"type": "cohort", "key": "id", "value": number, **more}


@pytest.mark.parametrize(
    "nodes",
    [
        [behavior("performed_event", key=f"e{i}") for i in range(1001)],
        [prop("semver_caret", [f"1.{i}.0" for i in range(9000)])],
        [prop("exact", str(i)) for i in range(30_000)],
    ],
    ids=["sets", "ranges", "leaves"],
)
def test_more_than_one_statement_can_hold_is_too_large(nodes: list[dict[str, Any]]):
    with pytest.raises(TooLarge, match="are too many for one statement") as caught:
        statement(*nodes, kind="OR")
    assert caught.value.code == "query_size"


def test_no_criteria_have_an_error_of_their_own():
    with pytest.raises(NoCriteria) as caught:
        statement()
    assert (caught.value.code, caught.value.message) == ("no_properties", "Cohort has no properties defined")


def test_the_failure_of_a_definition_has_a_code():
    with pytest.raises(CompileError) as caught:
        statement(prop("bananas", 1))
    assert caught.value.code == "validation_error"
    assert not isinstance(caught.value, NoCriteria)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_keys_and_values_never_become_sql(db: None, hostile: str):
    operators = "exact is_not icontains not_icontains regex is_set is_not_set gt lte in not_in".split()
    plain = [prop(each, ["x", "y"], key="k") for each in operators]
    value = re.escape(hostile) if hostile == "\\" else hostile  # which is no expression by itself
    same = [prop(each, [value, value], key=hostile) for each in operators]
    sql = statement(*same)
    assert sql.text == statement(*plain).text
    assert sql.text.count("%s") == len(sql.values)
    assert sql.text.count("%") == len(sql.values)


@pytest.mark.parametrize("operator", ["exact", "is_not", "in", "not_in", "icontains", "not_icontains", "gte", "lte"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_keys_and_values_are_compared_as_they_are(db: None, operator: str, hostile: str):
    is_met = "not" not in operator
    people(properties={"same": {hostile: hostile}, "other": {hostile: "\u0001"}, "none": {"a": hostile}})
    met = found(prop(operator, [hostile], key=hostile))
    assert ("same" in met) == is_met
    assert ("none" in met) == (not is_met)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_names_of_events_never_become_sql(kind: str, hostile: str):
    condition = {"type": "event", "key": "k", "operator": "exact", "value": "v"}
    plain = every_kind(kind, event_filters=[condition])
    same = every_kind(
        kind, key=hostile, seq_event=hostile, event_filters=[{**condition, "key": hostile, "value": hostile}]
    )
    sql = statement(same)
    assert sql.text == statement(plain).text
    assert sql.text.count("%s") == sql.text.count("%") == len(sql.values)
    assert list(sql.values).count(hostile) == (3 if kind == "performed_event_sequence" else 2)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_events_of_hostile_names_are_found(db: None, hostile: str):
    people("none", events={"did": [Event(hostile, NOW, {hostile: hostile})], "other": [Event("x", NOW)]})
    condition = {"type": "event", "key": hostile, "operator": "exact", "value": hostile}
    assert found(behavior(key=hostile, event_filters=[condition])) == {"did"}


@pytest.mark.parametrize("node", [*(every_kind(kind) for kind in KINDS), cohort(1), prop("is_set")])
def test_every_table_is_bound_to_the_project(node: dict[str, Any]):
    sql = statement(prop("exact", "x"), node, {**node, "negation": True}, cohorts=[1])
    names = [alias for _, alias in re.findall(TABLES, sql.text)]
    assert names
    assert all(f"{name}.project_id = %s" in sql.text for name in names)
    assert sql.text.count("project_id") == list(sql.values).count(PROJECT) == len(names)


def test_the_same_people_of_another_project_are_others(db: None):
    did = [Event("e", NOW), Event("f", NOW)]
    people("a", "b", events={"c": [Event("x", NOW)]})
    people(
        project_id=1, properties={"b": {"a": 5}, "z": {"a": 5}}, events={"a": did, "c": did}, cohorts={1: ["a", "b"]}
    )
    assert found(prop("exact", 5)) == set()
    assert found(behavior()) == set()
    assert found(cohort(1), cohorts=[1]) == set()
    assert found(prop("is_not_set")) == {"a", "b", "c"}
    assert found(prop("exact", 5), project=1) == {"b", "z"}


def test_members_of_another_project_who_are_no_persons_here_do_not_count(db: None):
    people("a", cohorts={1: ["a", "stranger"]})
    assert found(cohort(1), cohorts=[1]) == {"a"}


def test_a_cohort_selects_its_members(db: None):
    people("a", "b", cohorts={1: ["a"], 2: ["b"]})
    assert found(cohort(1), cohorts=[1, 2]) == {"a"}
    assert found(prop("is_not_set"), cohort(1, negation=True), cohorts=[1, 2]) == {"b"}
    assert found(cohort(1), cohort(2), cohorts=[1, 2]) == set()
    assert found(cohort(1), cohort(2), kind="OR", cohorts=[1, 2]) == {"a", "b"}


@pytest.mark.parametrize("number", [2, 0, -1, 2**63, 10**30])
def test_a_cohort_that_the_project_does_not_have_matches_nobody(db: None, number: int):
    people("a", "b", cohorts={2: ["a"]})
    assert found(cohort(number), cohorts=[1]) == set()
    assert found(prop("is_not_set"), cohort(number, negation=True), cohorts=[1]) == {"a", "b"}


def test_a_person_is_selected_once(db: None):
    people(events={"a": [Event("e", NOW)] * 3}, cohorts={1: ["a"]})
    sql = statement(*(every_kind(kind) for kind in KINDS), behavior(), cohort(1), kind="OR", cohorts=[1])
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.values)
        assert len(cursor.fetchall()) == 1


def test_groups_of_64_levels_are_compiled(db: None):
    people(properties={"a": {"a": 5}, "b": {"a": 6}})
    node = prop("exact", 5)
    for level in range(63):
        node = {"type": "AND" if level % 2 else "OR", "values": [node, prop("exact", 5)]}
    assert found(node) == {"a"}


def test_changing_members_leaves_other_projects_and_cohorts_alone(db: None):
    people("a", "b", properties={"c": {"email": "c"}}, cohorts={1: ["a", "b"], 2: ["a"]})
    people("a", properties={"c": {"email": "c"}}, project_id=1, cohorts={1: ["a", "b"]})
    here: dict[str, int] = {"project_id": PROJECT, "cohort_id": 1}
    assert replace_members(select_persons("email", ["c"], project_id=PROJECT), **here) == (1, 3)
    assert len(add_members(select_persons("person_id", [uuid_of("a"), uuid_of("b")], project_id=PROJECT), **here)) == 2
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT person_uuid FROM cohorts_cohortmember WHERE project_id = %s AND cohort_id = 1", [PROJECT]
        )
        remove_member(cursor.fetchall()[0][0], **here)
    assert count_members(**here) == 2
    delete_members(**here)
    assert count_members(**here) == 0
    assert count_members(project_id=PROJECT, cohort_id=2) == 1
    assert count_members(project_id=1, cohort_id=1) == 2


def test_an_unknown_behaviour_is_refused():
    assert refused(behavior("performed_nothing")) == "unknown behaviour 'performed_nothing'"


@pytest.mark.usefixtures("db")
def test_a_set_is_built_once_however_often_it_is_named_and_by_however_many_processes():
    people(events={"a": ago(1), "b": ago(2)}, properties={"a": {"a": 5}, "c": {"a": 7}})
    bought, other = behavior(), behavior(negation=True)
    tree = [{"type": "AND", "values": [prop("gt", 4), bought]}, {"type": "AND", "values": [prop("is_set"), other]}]
    sql = statement(*tree, kind="OR")
    with connection.cursor() as cursor:
        for setting in ("min_parallel_table_scan_size", "parallel_setup_cost", "parallel_tuple_cost"):
            cursor.execute(f"SET LOCAL {setting} = 0")
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + sql.text, sql.values)
        plan = cursor.fetchone()[0][0]["Plan"]
    sets = [each for each in nodes_of(plan) if each.get("Subplan Name", "").startswith("CTE ")]
    assert [each["Actual Loops"] for each in sets] == [1]


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes_of(each)


@pytest.mark.usefixtures("db")
def test_what_is_compared_twice_is_taken_out_of_its_json_once():
    people(properties={"in": {"a": 35}, "text": {"a": " 3e1 "}, "out": {"a": 50}, "word": {"a": "x"}, "none": {}})
    sql = statement(prop("gte", 30), prop("lt", 50), prop("is_not", 31))
    assert sql.text.count("p.properties -> ") == 1
    assert found(prop("gte", 30), prop("lt", 50), prop("is_not", 31)) == {"in", "text"}
