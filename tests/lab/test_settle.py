"""Settle: afterwards every cohort is computed, and the errors are known."""

from typing import Any

import pytest

from core6.lab.refusals import Refused
from core6.lab.settle import settle
from tests.conftest import Cast, at_once
from tests.support.cohorts.people import all_of, leaf, waiting, work
from tests.support.lab import Lab


@pytest.fixture(name="lab")
def first_state(lab: Lab) -> Lab:
    """The lab without the cohorts that other tests left."""
    lab.ask("POST", "reset")
    return lab


def project(lab: Lab, name: str, *cohorts: dict[str, Any], plan: str = "pro") -> tuple[str, dict[str, Any]]:
    """Declare a project with one person and these cohorts; return the path of its cohorts, and all of them by name."""
    persons = [{"distinct_ids": ["p1"], "properties": {"plan": plan}}]
    declared = {"name": name, "persons": persons, "cohorts": list(cohorts)}
    world = {"organizations": [{"name": "Acme", "projects": [declared]}]}
    made = lab.ask("POST", "provision", world)["organizations"]["Acme"]["projects"][name]
    path = f"/api/projects/{made['id']}/cohorts/"
    return path, rows(lab, path)


def rows(lab: Lab, path: str) -> dict[str, Any]:
    return {row["name"]: row for row in lab.send("GET", path).json["results"]}


def test_cohorts_that_refer_to_later_ones_follow_a_change_of_the_persons(lab: Lab):
    pro = all_of(leaf("plan", value="pro"))
    names = ("First", "Second", "Third")
    path, found = project(lab, "Dependent", *({"name": name, "filters": pro} for name in names))
    for one, other in (("Second", "Third"), ("First", "Second")):
        refers = all_of({"type": "cohort", "key": "id", "value": found[other]["id"]})
        assert lab.send("PATCH", f"{path}{found[one]['id']}/", {"filters": refers}).status == 200
    for plan, count in (("pro", 1), ("free", 0)):
        project(lab, "Dependent", plan=plan)
        answer = lab.ask("POST", "settle")
        assert answer["errors"] == []
        assert answer["cohorts"] >= 3
        found = rows(lab, path)
        assert {name: row["count"] for name, row in found.items()} == dict.fromkeys(names, count), plan
        assert not any(row["is_calculating"] for row in found.values())


def test_an_error_is_in_the_answer_each_time_until_the_cohort_is_mended(lab: Lab):
    path, found = project(lab, "Failing", {"name": "Fails", "filters": all_of(leaf("plan", "regex", "("))})
    key = found["Fails"]["id"]
    for _ in range(2):
        (error,) = lab.ask("POST", "settle")["errors"]
        assert error["error"].startswith("A regular expression")
        assert error == {
            "cohort": key,
            "name": "Fails",
            "project": int(path.split("/")[3]),
            "code": "invalid_regex",
            "error": error["error"],
        }
    mended = lab.send("PATCH", f"{path}{key}/", {"filters": all_of(leaf("plan", "regex", "p"))})
    assert mended.status == 200, mended.json
    assert lab.ask("POST", "settle")["errors"] == []
    assert rows(lab, path)["Fails"]["count"] == 1


def test_static_and_deleted_cohorts_are_left_alone(lab: Lab):
    before = lab.ask("POST", "settle")["cohorts"]
    path, found = project(
        lab,
        "Static",
        {"name": "Fixed", "is_static": True, "members": ["p1"]},
        {"name": "Gone", "filters": all_of(leaf("plan", "regex", "("))},
    )
    assert lab.send("PATCH", f"{path}{found['Gone']['id']}/", {"deleted": True}).status == 200
    answer = lab.ask("POST", "settle")
    assert (answer["cohorts"], answer["errors"]) == (before, [])
    fixed = rows(lab, path)["Fixed"]
    assert (fixed["count"], fixed["is_calculating"]) == (1, False)


def test_the_persons_of_a_demo_project_are_there(lab: Lab):
    made = lab.send("POST", "/api/projects/", {"name": "Shop", "is_demo": True}).json
    path = f"/api/projects/{made['id']}/cohorts/"
    everyone = {"name": "Everyone", "filters": all_of(leaf("plan", "is_set", "is_set"))}
    assert lab.send("POST", path, everyone).status == 201
    assert lab.ask("POST", "settle")["errors"] == []
    assert rows(lab, path)["Everyone"]["count"] > 100


def test_clients_in_parallel_each_get_an_answer(lab: Lab):
    answers = at_once(2, lambda _: lab.ask("POST", "settle"))
    assert len({answer["cohorts"] for answer in answers}) == 1


def test_requests_are_answered_while_it_works(lab: Lab):
    def both(number: int) -> Any:
        return lab.ask("POST", "settle") if number else [lab.send("GET", lab.cohorts).status for _ in range(20)]

    assert at_once(2, both)[0] == [200] * 20


def test_without_a_job_worker_it_answers_503_after_its_patience(cast: Cast):
    caller = cast.caller(cast.alice)
    path = f"/api/projects/{cast.web.pk}/cohorts/"
    for name in ("first", "second"):
        assert caller.post(path, {"name": name, "filters": all_of(leaf("plan", value="pro"))}).status_code == 201
    with pytest.raises(Refused) as caught:
        settle(patience=0.05)
    assert (caught.value.status, caught.value.code) == (503, "service_unavailable")
    assert "0.05 s" in caught.value.detail
    work()
    with pytest.raises(Refused):
        settle(patience=0.05)
    assert len(waiting()) == 2
    work()
    assert [row["count"] for row in caller.get(path).json()["results"]] == [0, 0]


def test_without_a_cohort_there_is_nothing_to_wait_for(cast: Cast):
    answer = settle(patience=0.05)
    assert (answer["cohorts"], answer["errors"]) == (0, [])
