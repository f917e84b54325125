"""The command line client `cased-piglet`, as it comes from PyPI: `make client-test`."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.suites.clients.conftest import computed, held, made, on_plans, run
from tests.suites.clients.installing import python_client
from tests.support.serving import Serve


@dataclass
class Piglet:
    server: Serve
    home: Path
    project: str = ""
    key: str = ""

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return run(
            python_client("piglet") / "bin" / "piglet",
            *arguments,
            HOME=str(self.home),
            POSTHOG_HOST=self.server.url,
            POSTHOG_API_KEY=self.key or self.server.printed("API key"),
            POSTHOG_PROJECT_ID=self.project or self.server.printed("project"),
        )

    def output(self, *arguments: str) -> str:
        """Return what the client prints for people."""
        done = self.run(*arguments)
        assert done.returncode == 0, done
        return done.stdout

    def rows(self, *arguments: str) -> list[list[str]]:
        """Return the rows below the headings that the client prints for other programs."""
        return [line.split("\t") for line in self.output("--plain", *arguments).splitlines()[1:]]

    def call(self, *arguments: str) -> Any:
        return json.loads(self.output("--json", *arguments))

    def refusal(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (1, ""), done
        return done.stderr


@pytest.fixture(scope="module")
def piglet(server: Serve, tmp_path_factory: pytest.TempPathFactory) -> Piglet:
    return Piglet(server, tmp_path_factory.mktemp("home"))


def test_projects_are_listed_and_shown(piglet: Piglet, server: Serve, project: int):
    projects = held(server, "projects/")
    assert piglet.call("projects", "list") == projects
    # The list has no `created_at`, here and in the real service.
    assert piglet.rows("projects", "list") == [
        [str(each["id"]), each["name"], each["api_token"], ""] for each in projects["results"]
    ]
    shown, whole = piglet.call("projects", "get", str(project)), held(server, f"projects/{project}/")
    for each in (shown, whole):
        del each["live_events_token"]  # it holds the time
    assert shown == whole
    output = piglet.output("projects", "get", str(project))
    assert all(whole[key] in output for key in ("name", "api_token", "created_at")), output


def test_a_cohort_is_created_listed_changed_and_deleted(piglet: Piglet, server: Serve, project: int):
    output = piglet.output("cohorts", "create", "--name", "Payers", "--description", "They pay")
    assert "Cohort 'Payers' created successfully!" in output
    [row] = held(server, f"projects/{project}/cohorts/")["results"]
    assert (row["name"], row["description"], row["is_static"]) == ("Payers", "They pay", False)
    cohort = computed(server, project, row["id"])
    one = str(cohort["id"])
    assert piglet.call("cohorts", "list") == [cohort]
    assert piglet.call("cohorts", "get", one) == cohort
    assert piglet.rows("cohorts", "list") == [[one, "Payers", "0", "No", cohort["created_at"]]]
    lines = piglet.output("--plain", "cohorts", "get", one).splitlines()
    assert lines == [
        f"ID: {one}",
        "Name: Payers",
        "Description: They pay",
        "Count: 0",
        "Static: No",
        "Calculating: No",
        f"Created: {cohort['created_at']}",
        "Created By: alice@example.com",
    ]
    changed = piglet.call("cohorts", "update", one, "--name", "Customers", "--description", "They paid")
    assert (changed["name"], changed["description"]) == ("Customers", "They paid")
    assert computed(server, project, cohort["id"])["name"] == "Customers"
    assert piglet.call("cohorts", "delete", one, "--yes") == {"deleted": True, "id": cohort["id"]}
    assert held(server, f"projects/{project}/cohorts/{one}/")["deleted"] is True
    assert "No results found" in piglet.output("cohorts", "list")


def test_members_are_counted_and_cohorts_listed_by_kind(piglet: Piglet, server: Serve, project: int):
    dynamic = made(server, f"projects/{project}/cohorts/", name="On a plan", filters=on_plans("pro", "free"))
    dynamic = computed(server, project, dynamic["id"])
    static = piglet.call("cohorts", "create", "--name", "Picked", "--static")
    assert static == held(server, f"projects/{project}/cohorts/{static['id']}/")
    assert static["is_static"] is True
    assert piglet.rows("cohorts", "list", "--dynamic") == [
        [str(dynamic["id"]), "On a plan", "2", "No", dynamic["created_at"]]
    ]
    assert piglet.rows("cohorts", "list", "--static") == [
        [str(static["id"]), "Picked", "0", "Yes", static["created_at"]]
    ]


def test_errors_of_the_server_are_shown(piglet: Piglet, server: Serve):
    assert piglet.refusal("cohorts", "get", "999999") == "Error: Resource not found\n"
    assert piglet.refusal("projects", "get", "999999") == "Error: Resource not found\n"
    stranger = Piglet(server, piglet.home, key="phx_of_nobody_at_all")
    assert stranger.refusal("projects", "list") == "Error: Invalid API key\n"
    elsewhere = Piglet(server, piglet.home, project="3")
    assert elsewhere.refusal("cohorts", "list") == "Error: You don't have access to the project.\n"
    error = piglet.refusal("cohorts", "create", "--name", "x" * 401).removeprefix("Error: API error: 400 - ")
    assert json.loads(error)["attr"] == "name"


@pytest.mark.parametrize("group", ["flags", "dashboards", "insights"])
def test_a_command_beyond_the_page_says_so(piglet: Piglet, group: str):
    assert piglet.refusal(group, "list") == "Error: Resource not found\n"
