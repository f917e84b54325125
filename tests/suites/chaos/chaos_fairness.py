"""An organization whose 50 cohorts are slow to compute does not hold up another one's."""

import json
import time
from typing import Any, Final

from tests.support.places import connect, place
from tests.support.serving import Serve, serving, wait_until

COHORTS: Final = 50
#: How long each run of the slow organization takes.
SLOW_SECONDS: Final = 4
#: Of each cohort.
MEMBERS: Final = 10
#: What may come to it.
PATIENCE: Final = 5
_SLOW: Final = """
CREATE FUNCTION wait_for_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  PERFORM pg_sleep({seconds}) FROM projects_project p WHERE p.id = NEW.project_id AND p.name = 'Slow';
  RETURN NEW;
END $$;
CREATE TRIGGER wait_for_slow BEFORE INSERT ON cohorts_cohortmember FOR EACH ROW EXECUTE FUNCTION wait_for_slow()"""

_WAITING: Final = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND lock LIKE 'cohort:%'"


def world() -> dict[str, Any]:
    made: dict[str, Any] = {"users": [], "organizations": [], "api_keys": []}
    for name in ("Slow", "Quick"):
        email = f"{name.lower()}@example.com"
        persons = [{"distinct_ids": [f"{name}-{number}"], "properties": {"number": number}} for number in range(20)]
        project = {"name": name, "persons": persons}
        made["users"].append({"email": email})
        made["organizations"].append({"name": name, "members": {email: "owner"}, "projects": [project]})
        made["api_keys"].append({"label": name, "user": email, "scopes": ["*"], "value": key_of(name)})
    return made


def key_of(name: str) -> str:
    return f"phx_of_{name.lower()}_for_the_test_of_fairness"


def create(server: Serve, name: str) -> str:
    condition = {"type": "person", "key": "number", "operator": "lt", "value": MEMBERS}
    filters = {"properties": {"type": "AND", "values": [condition]}}
    status, body = server.call("POST", "/api/projects/@current/cohorts/", {"filters": filters}, key_of(name))
    assert status == 201, body
    return f"/api/projects/@current/cohorts/{body['id']}/"


def wait_for(server: Serve, path: str) -> None:
    """Wait until a cohort of the quick organization is computed."""

    def is_computed() -> bool:
        status, body = server.call("GET", path, key=key_of("Quick"))
        assert status == 200, body
        return not body["is_calculating"] and body["count"] == MEMBERS

    wait_until(is_computed, "a cohort", 60)


def test_a_new_cohort_waits_for_one_slow_run_at_most():
    with place() as parent:
        file = parent / "world.yaml"
        file.write_text(json.dumps(world()))
        with serving(parent / "data", "--provision", str(file)) as server:
            quick = [create(server, "Quick") for _ in range(COHORTS)]
            for path in quick:
                wait_for(server, path)
            with connect(parent / "data") as connection:
                connection.execute(_SLOW.format(seconds=SLOW_SECONDS / MEMBERS))
            for _ in range(COHORTS):
                create(server, "Slow")
            time.sleep(1)  # every place of the worker is taken
            longest = 0.0
            for _ in range(5):
                began = time.monotonic()
                wait_for(server, create(server, "Quick"))
                longest = max(longest, time.monotonic() - began)
            print(f"longest wait: {longest:.1f} s beside runs of {SLOW_SECONDS} s")
            assert longest < SLOW_SECONDS + PATIENCE
            with connect(parent / "data") as connection:
                left = connection.execute(_WAITING).fetchone()
            assert left
            assert left[0] > COHORTS / 2
