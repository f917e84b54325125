"""The command line client `phog-cli`, as it comes from PyPI: `make client-test`."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.suites.clients.conftest import ANN, BEN, computed, held, on_plans, run
from tests.suites.clients.installing import python_client
from tests.support.serving import Serve


@dataclass
class Phog:
    home: Path

    def run(self, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        command = python_client("phog") / "bin" / "posthog"
        return run(command, *arguments, stdin=stdin, HOME=str(self.home), XDG_CONFIG_HOME=str(self.home), COLUMNS="200")

    def output(self, *arguments: str, stdin: str = "") -> str:
        """Return what the client prints for people."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done
        return done.stdout

    def call(self, *arguments: str) -> Any:
        return json.loads(self.output("--json", *arguments))

    def send(self, method: str, path: str, **given: Any) -> Any:
        """Call an address below the project by `posthog api`."""
        return json.loads(self.output("api", method, path, *(("--data", json.dumps(given)) if method != "get" else ())))

    def refusal(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (1, ""), done
        return done.stderr


def login(server: Serve, *options: str, key: str = "") -> list[str]:
    return ["auth", "login", "--host", server.url, "--api-key", key or server.printed("API key"), *options]


@pytest.fixture
def phog(server: Serve, tmp_path: Path) -> Phog:
    phog = Phog(tmp_path)
    phog.output(*login(server, "--project-id", server.printed("project")))
    return phog


def test_somebody_logs_in_and_out(server: Serve, tmp_path: Path):
    phog = Phog(tmp_path)
    assert phog.output(*login(server)) == "Logged in successfully. Organization: Acme\n"
    status = phog.call("auth", "status")
    assert (status["logged_in"], status["host"], status["project_id"]) == ("Yes", server.url, "Not set")
    phog.output("auth", "logout", stdin="y\n")
    assert phog.call("auth", "status")["logged_in"] == "No"


def test_a_wrong_key_does_not_log_in(server: Serve, tmp_path: Path):
    refusal = Phog(tmp_path).refusal(*login(server, key="phx_of_nobody_at_all"))
    assert refusal == "Authentication failed: Personal API key found in request Authorization header is invalid.\n"
    assert list(tmp_path.iterdir()) == []


def test_organizations_are_listed_and_shown(phog: Phog, server: Serve, organization: str):
    assert phog.call("org", "list") == held(server, "organizations/")["results"]
    whole = held(server, f"organizations/{organization}/")
    assert phog.call("org", "get", organization) == phog.call("org", "get", "@current") == whole
    output = phog.output("org", "list")
    assert all(whole[key] in output for key in ("id", "name", "created_at")), output


def test_projects_are_listed_shown_and_switched_to(phog: Phog, server: Serve, project: int):
    projects = held(server, "projects/")["results"]
    web, app = projects
    active = {**web, "name": "Web (active)"}
    assert phog.call("project", "list") == [active, app]
    shown, whole = phog.call("project", "current"), held(server, f"projects/{project}/")
    for each in (shown, whole):
        del each["live_events_token"]  # it holds the time
    assert shown == whole
    output = phog.output("project", "current")
    assert all(whole[key] in output for key in ("name", "organization", "created_at")), output
    assert phog.output("project", "switch", str(app["id"])) == f"Switched to project {app['id']}.\n"
    assert phog.call("project", "current")["name"] == "App"
    assert phog.refusal("project", "switch", "999999") == "API error 404: Not found.\n"
    assert phog.call("project", "current")["name"] == "App"


def test_an_annotation_is_created_listed_and_changed(phog: Phog, server: Serve, project: int):
    made = phog.send("post", "/annotations/", content="We launched", scope="project")
    path = f"projects/{project}/annotations/"
    one = f"/annotations/{made['id']}/"
    assert made == held(server, f"{path}{made['id']}/") == phog.send("get", one)
    assert phog.send("get", "/annotations/?search=launch") == held(server, f"{path}?search=launch")
    assert phog.send("patch", one, content="We launched late")["content"] == "We launched late"
    assert phog.refusal("api", "delete", one) == "API error 405: \n"
    assert phog.send("patch", one, deleted=True)["deleted"] is True
    assert phog.send("get", "/annotations/")["results"] == []


def test_a_cohort_is_computed_and_gets_members(phog: Phog, server: Serve, project: int):
    made = phog.send("post", "/cohorts/", name="Payers", filters=on_plans("pro"))
    cohort = computed(server, project, made["id"])
    assert (cohort["count"], phog.send("get", f"/cohorts/{made['id']}/")) == (1, cohort)
    persons = phog.send("get", f"/cohorts/{made['id']}/persons/")["results"]
    assert [person["id"] for person in persons] == [ANN]
    history = phog.send("get", f"/cohorts/{made['id']}/calculation_history/")
    assert [row["count"] for row in history["results"]] == [1]
    picked = phog.send("post", "/cohorts/", name="Picked", is_static=True)
    one = f"/cohorts/{picked['id']}"
    assert phog.send("patch", f"{one}/add_persons_to_static_cohort/", person_ids=[ANN, BEN]) == {"success": True}
    assert phog.send("patch", f"{one}/remove_person_from_static_cohort/", person_id=ANN) == {"success": True}
    assert [person["id"] for person in phog.send("get", f"{one}/persons/")["results"]] == [BEN]
    assert [row["name"] for row in phog.send("get", "/cohorts/")["results"]] == ["Picked", "Payers"]
    doings = [row["activity"] for row in phog.send("get", f"{one}/activity/")["results"]]
    assert doings == ["person_removed_manually", "persons_added_manually", "created"]


def test_the_project_is_changed_and_acted_upon(phog: Phog, server: Serve, project: int):
    assert phog.send("patch", "/", timezone="Europe/Berlin")["timezone"] == "Europe/Berlin"
    before = held(server, f"projects/{project}/")["api_token"]
    assert phog.send("patch", "/complete_product_onboarding/", product_type="surveys")["product_intents"] != []
    assert phog.send("get", "/is_generating_demo_data/")["is_generating_demo_data"] is False
    assert phog.send("patch", "/reset_token/")["api_token"] != before
    first = phog.send("patch", "/rotate_secret_token/")["secret_api_token"]
    assert phog.send("patch", "/rotate_secret_token/")["secret_api_token_backup"] == first
    assert phog.send("patch", "/delete_secret_token_backup/")["secret_api_token_backup"] is None
    settings = phog.send("post", "/generate_conversations_public_token/")["conversations_settings"]
    assert settings["widget_public_token"]
    assert phog.send("get", "/activity/")["results"][-1]["activity"] == "created"


def test_errors_of_the_server_are_shown(phog: Phog):
    refusal = phog.refusal("api", "post", "/annotations/", "--data", '{"scope": "nonsense"}')
    assert refusal == 'API error 400: "nonsense" is not a valid choice.\n'
    assert phog.refusal("api", "get", "/cohorts/999999/") == "API error 404: Not found.\n"
    assert phog.refusal("org", "get", "nonsense") == "API error 404: Not found.\n"


BEYOND = """
search groups x, search events, search properties, flag list, dashboard list, insight list, experiment list,
survey list, error list, query generate x, log attributes, activity events
"""


@pytest.mark.parametrize("command", BEYOND.split(","), ids=str.strip)
def test_a_command_beyond_the_page_says_so(phog: Phog, command: str):
    assert phog.refusal(*command.split()).startswith("API error 404: Endpoint not found.")
