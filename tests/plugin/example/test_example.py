"""An example of tests that use the plugin: they run in any order and beside each other."""

import json
import urllib.request
from typing import Any

import pytest


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
    core6.settle()
    assert call(core6, f"{cohorts}{made['id']}/")["count"] == 3
