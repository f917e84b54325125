"""pytest-core6 with servers that it joins, and the first state that `serve --lab` saves for it."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.cohorts.people import all_of, leaf
from tests.support.places import place
from tests.support.plugin import run
from tests.support.serving import LIGHT, Serve, serving, started_place

TOKEN = "a token of the lab, which is long enough"
KEY = "phx_a_fixed_key_of_the_lab_for_tests"
PEOPLE = [{"distinct_ids": [f"p{number}"], "properties": {"plan": "pro"}} for number in range(3)]
PAYING = {"name": "Paying", "filters": all_of(leaf("plan", value="pro"))}
PREFIX = "import json, pytest\nfrom urllib.request import Request, urlopen\nfrom pytest_core6 import Core6Error\n"
RESET = """
IDS = []
@pytest.mark.parametrize("attempt", range(2))
def test_it_is_reset(core6, attempt):
    assert core6.journal.requests() == []
    IDS.append(core6.provision({"users": [{"email": "dora@example.com"}]})["users"]["dora@example.com"]["id"])
    assert IDS == [IDS[0]] * (attempt + 1)
    assert core6.settle() == []
    urlopen(Request(f"{core6.url}/api/projects/", headers={"Authorization": f"Bearer {core6.api_key}"})).close()
    assert [each["key"] for each in core6.journal.requests()] == ["ci"]
"""
NO_LAB = """
@pytest.mark.parametrize("attempt", range(2))
def test_it_stays_as_it_is(core6, attempt):
    headers = {"Authorization": f"Bearer {core6.api_key}", "Content-Type": "application/json"}
    url = f"{core6.url}/api/projects/@current/annotations/"
    urlopen(Request(url, json.dumps({"content": "theirs", "scope": "project"}).encode(), headers)).close()
    with urlopen(Request(f"{url}?search=theirs", headers=headers)) as answer:
        assert json.load(answer)["count"] == attempt + 1
    others = (core6.settle, core6.strict, core6.faults.all, core6.journal.requests, core6.clock.now)
    for use in (lambda: core6.provision({}), *others):
        with pytest.raises(Core6Error, match="has no lab: start it by `core6 serve --lab`"):
            use()
"""
COMPUTED = """
@pytest.mark.parametrize("attempt", range(2))
def test_the_cohort_is_computed(core6, attempt):
    headers = {"Authorization": f"Bearer {core6.api_key}"}
    with urlopen(Request(f"{core6.url}/api/projects/@current/cohorts/", headers=headers)) as answer:
        (cohort,) = json.load(answer)["results"]
    assert (cohort["is_calculating"], cohort["count"]) == (False, 3)
    assert core6.ids["organizations"]["Acme"]["projects"]["Web"]["person_count"] == 3
"""


def world(persons: Any) -> dict[str, Any]:
    return {
        "users": [{"email": "ci@example.com"}],
        "organizations": [
            {
                "name": "Acme",
                "members": {"ci@example.com": "owner"},
                "projects": [{"name": "Web", "persons": persons, "cohorts": [PAYING]}],
            }
        ],
        "api_keys": [{"label": "ci", "user": "ci@example.com", "scopes": ["*"], "value": KEY}],
    }


@pytest.fixture(scope="module")
def server() -> Iterator[Serve]:
    """A lab whose first state has a cohort of three persons; it needs a token."""
    with place() as directory:
        file = directory / "world.json"
        file.write_text(json.dumps(world(PEOPLE)))
        options = ("--lab", "--workers", "1", "--provision", str(file))
        with serving(directory / "data", *options, LAB_TOKEN=TOKEN) as started:
            yield started
            assert started.complaints() == []


def joined(suite: Path, text: str, server: Serve, **given: str) -> tuple[int, str]:
    """Run tests against a server that runs already; return the exit code, and what pytest printed."""
    (suite / "test_joined.py").write_text(PREFIX + text)
    key = server.printed("API key")
    done = run(suite, suite, "-q", f"--core6-url={server.url}", "test_joined.py", CORE6_API_KEY=key, **given)
    return done.returncode, done.stdout + done.stderr


def test_the_first_state_has_its_cohorts_computed(server: Serve):
    for _ in range(3):
        assert server.call("POST", "/_lab/reset", key=TOKEN)[0] == 200
        (cohort,) = server.call("GET", server.path("cohorts"))[1]["results"]
        assert (cohort["is_calculating"], cohort["count"]) == (False, 3)


def test_resets_at_once_all_succeed(server: Serve):
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda _: server.call("POST", "/_lab/reset", key=TOKEN)[0], range(8)))
    assert statuses == [200] * 8
    server.note("after them")
    assert server.contents() == {"after them"}


def test_a_joined_server_is_reset_provisioned_and_settled_by_its_lab(server: Serve, tmp_path: Path):
    code, printed = joined(tmp_path, RESET, server, CORE6_LAB_TOKEN=TOKEN)
    assert code == 0, printed


def test_a_joined_server_whose_token_is_not_there_is_an_error(server: Serve, tmp_path: Path):
    code, printed = joined(tmp_path, RESET, server)
    assert code == 1
    assert "Core6Error: GET /_lab/clock: Send LAB_TOKEN as bearer token." in printed


def test_a_joined_server_without_a_lab_stays_as_it_is(tmp_path: Path):
    with started_place() as directory, serving(directory, *LIGHT) as started:
        code, printed = joined(tmp_path, NO_LAB, started)
        assert code == 0, printed


@pytest.mark.whole
def test_a_world_that_names_files_is_the_first_state(tmp_path: Path):
    (tmp_path / "people.ndjson").write_text("".join(f"{json.dumps(each)}\n" for each in PEOPLE))
    (tmp_path / "world.json").write_text(json.dumps(world("people.ndjson")))
    (tmp_path / "pytest.ini").write_text("[pytest]\ncore6_world = world.json\n")
    (tmp_path / "test_own.py").write_text(PREFIX + COMPUTED)
    with place() as temporary:
        done = run(tmp_path, temporary, "-q", "test_own.py")
        assert done.returncode == 0, done.stdout + done.stderr
