"""An example of tests that use the plugin: they run in any order and beside each other."""

import json
import urllib.request
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

import pytest
from pytest_core6 import Core6Error


def call(core6: Any, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        f"{core6.url}/api/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {core6.api_key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=15) as answer:
        return json.load(answer)


def project_of(core6: Any) -> int:
    return core6.ids["organizations"]["Acme"]["projects"]["Web"]["id"]


@pytest.mark.parametrize("number", range(6))
def test_each_test_starts_from_the_first_state(core6: Any, number: int):
    annotations = f"projects/{project_of(core6)}/annotations/"
    assert call(core6, annotations)["count"] == 0
    call(core6, annotations, {"content": f"note {number}", "scope": "project"})
    assert call(core6, annotations)["count"] == 1


def test_a_cohort_of_provisioned_people_is_computed(core6: Any):
    people = [{"distinct_ids": [f"p{number}"], "properties": {"plan": "pro"}} for number in range(3)]
    project = {"name": "Web", "persons": people}
    core6.provision({"organizations": [{"name": "Acme", "projects": [project]}]})
    cohorts = f"projects/{project_of(core6)}/cohorts/"
    condition = {"type": "person", "key": "plan", "operator": "exact", "value": ["pro"]}
    filters = {"properties": {"type": "AND", "values": [condition]}}
    made = call(core6, cohorts, {"name": "Paying", "filters": filters})
    assert core6.settle() == []
    assert call(core6, f"{cohorts}{made['id']}/")["count"] == 3


def test_a_cohort_that_fails_is_named(core6: Any):
    condition = {"type": "person", "key": "plan", "operator": "regex", "value": "["}
    filters = {"properties": {"type": "AND", "values": [condition]}}
    call(core6, f"projects/{project_of(core6)}/cohorts/", {"name": "Broken", "filters": filters})
    (error,) = core6.settle()
    assert (error["name"], error["project"], error["code"]) == ("Broken", project_of(core6), "invalid_regex")


def test_a_world_that_names_a_file_is_refused_with_its_path(core6: Any):
    project = {"name": "Web", "persons": "persons.ndjson"}
    with pytest.raises(Core6Error, match=r"organizations\[0\]\.projects\[0\]\.persons: "):
        core6.provision({"organizations": [{"name": "Acme", "projects": [project]}]})


@pytest.mark.parametrize("number", range(2))
def test_a_fault_happens_so_many_times_and_in_no_other_test(core6: Any, number: int):
    assert core6.faults.all() == []
    core6.faults.add(method="GET", path="/api/projects/*", key="pytest", times=2, answer={"status": 503})
    core6.faults.add(delay_ms=1, times=None)
    for _ in range(2):
        with pytest.raises(HTTPError, match="503"):
            call(core6, "projects/")
    assert call(core6, "projects/")["count"] == 1
    assert [fault["delay_ms"] for fault in core6.faults.all()] == [1]
    core6.faults.clear()
    assert core6.faults.all() == []


@pytest.mark.parametrize("fault", [{"cut": True}, {"truncate_bytes": 10}], ids=str)
def test_a_connection_ends_early(core6: Any, fault: dict[str, Any]):
    added = core6.faults.add(**fault)
    with pytest.raises((OSError, HTTPException)):
        call(core6, "projects/")
    assert [each["fault"] for each in core6.journal.requests()] == [added["id"]]


def test_a_wrong_fault_is_refused_with_its_key(core6: Any):
    with pytest.raises(Core6Error, match="times: Use a whole number"):
        core6.faults.add(times=0, cut=True)


def test_the_journal_shows_what_was_sent(core6: Any):
    assert core6.journal.requests() == []
    call(core6, "projects/?limit=5")
    call(core6, f"projects/{project_of(core6)}/annotations/", {"content": "note", "scope": "project"})
    first, second = core6.journal.requests()
    assert (first["path"], first["query"], first["key"]) == ("/api/projects/", "limit=5", "pytest")
    assert second["body"] == {"content": "note", "scope": "project"}
    assert core6.journal.requests(since=first["id"]) == [second]
    assert core6.journal.requests(method="POST", path="*/annotations/", key="pytest") == [second]
    assert core6.journal.requests(since=datetime.fromisoformat(second["at"])) == [second]
    core6.journal.clear()
    assert core6.journal.requests() == []


def test_the_clock_moves_the_time_of_rows(core6: Any):
    core6.clock.set(datetime(2030, 1, 1, tzinfo=UTC))
    annotations = f"projects/{project_of(core6)}/annotations/"
    made = call(core6, annotations, {"content": "note", "scope": "project"})
    assert made["created_at"].startswith("2030-01-01")
    core6.clock.shift("-365d")
    assert core6.clock.now() < datetime.now(UTC)
    core6.clock.reset()
    assert abs((core6.clock.now() - datetime.now(UTC)).total_seconds()) < 60


def test_a_time_without_a_zone_is_refused(core6: Any):
    with pytest.raises(Core6Error, match="has no time zone"):
        core6.clock.set(datetime(2030, 1, 1))  # noqa: DTZ001  # that is what is tested


@pytest.mark.parametrize("enabled", [True, False])
def test_an_unknown_parameter_is_refused_by_a_strict_server_alone(core6: Any, enabled: bool):
    core6.strict(enabled)
    if enabled:
        with pytest.raises(HTTPError, match="400"):
            call(core6, "projects/?limits=5")
    else:
        assert call(core6, "projects/?limits=5")["count"] == 1
