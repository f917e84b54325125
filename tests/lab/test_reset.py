"""Reset: nothing of a test is left for the next one."""

from typing import Any, Final

from tests.conftest import at_once
from tests.support.cohorts.people import all_of
from tests.support.lab import KEY, Lab
from tests.support.serving import wait_until

NEW_KEY: Final = "phx_" + "e" * 48


def state(lab: Lab) -> Any:
    """Return all that the lab and the API show, without times and tokens."""
    return [
        lab.ask("GET", "faults"),
        lab.ask("GET", "clock")["shift_seconds"],
        lab.ask("GET", "strict"),
        [row["content"] for row in lab.send("GET", lab.notes).json["results"]],
        [row["name"] for row in lab.send("GET", "/api/projects/").json["results"]],
        [row["name"] for row in lab.send("GET", "/api/organizations/@current/roles/").json["results"]],
        [row["count"] for row in lab.send("GET", lab.cohorts).json["results"]],
        lab.send("GET", f"/api/projects/{lab.project}/activity/").json["results"],
        [{**row, "at": None, "ms": None} for row in lab.journal()],
    ]


def leave_traces(lab: Lab) -> list[Any]:
    """Change all that can be changed; return the ids of what was made."""
    world = {
        "users": [{"email": "new@example.com"}],
        "organizations": [{"name": "Acme", "members": {"new@example.com": "owner"}}],
        "api_keys": [{"label": "new", "user": "new@example.com", "scopes": ["*"], "value": NEW_KEY}],
    }
    lab.ask("POST", "provision", world)
    made = [
        lab.note("a trace").json["id"],
        lab.send("POST", "/api/projects/", {"name": "A trace"}, {"Idempotency-Key": "once"}).json["id"],
        lab.send("POST", lab.cohorts, {"name": "A trace", "filters": all_of()}).json["id"],
        lab.send("GET", "/api/projects/", key=NEW_KEY).json["count"],
    ]
    assert lab.send("POST", "/api/organizations/@current/roles/", {"name": "A trace"}).status == 201
    lab.ask("POST", "settle")
    lab.ask("PUT", "clock", {"shift": "-30d"})
    lab.ask("PUT", "strict", {"enabled": True})
    made += [lab.journal()[-1]["key"], lab.order(path="/nowhere", cut=True, times=None)["id"]]
    return made


def test_a_reset_brings_everything_back_ids_included(lab: Lab):
    lab.ask("POST", "reset")
    before = state(lab)
    first = leave_traces(lab)
    assert state(lab) != before
    assert lab.ask("POST", "reset")["milliseconds"] > 0
    assert lab.send("GET", "/api/projects/", key=NEW_KEY).status == 401
    assert lab.journal()[0]["id"] == 1
    assert lab.journal()[0]["key"] is None
    lab.ask("DELETE", "requests")
    assert leave_traces(lab) == first
    lab.ask("POST", "reset")
    assert state(lab) == before


def test_a_request_that_is_answered_after_a_reset_is_in_no_journal(lab: Lab):
    lab.order(path="/api/projects/", delay_ms=3000)

    def work(number: int) -> int:
        if number:
            wait_until(lambda: lab.ask("GET", "faults") == {"results": []}, "taken fault")
            return lab.send("POST", "/_lab/reset", {}, key=None).status
        return lab.send("GET", "/api/projects/").status

    assert at_once(2, work) == [200, 200]
    assert lab.journal() == []


def test_clients_meet_a_reset_as_at_most_a_503_and_go_on(lab: Lab):
    def work(number: int) -> set[int]:
        if number == 0:
            return {lab.send("POST", "/_lab/reset", {}, key=None).status}
        found = set()
        for i in range(30):
            answer = lab.send("GET", f"/api/projects/?search={number}-{i}", key=KEY)
            assert answer.json is not None
            found.add(answer.status)
        return found

    first, *others = at_once(4, work)
    assert first == {200}
    assert set().union(*others) <= {200, 503}
    assert lab.send("GET", "/api/projects/").status == 200
    lab.ask("POST", "settle")
