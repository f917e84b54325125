"""The official command line client, `@posthog/cli`, as it comes from npm: `make client-test`."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.suites.clients.conftest import ANN, BEN, computed, environment, held, on_plans
from tests.suites.clients.installing import node_client
from tests.support.serving import Serve

#: What the client adds to an answer: a page of the real service.
LINK = "_posthogUrl"


@dataclass
class Cli:
    server: Serve
    package: Path
    key: str = ""

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["node", self.package / "lib" / "posthog-api-cli.mjs", "call", "--json", *arguments],
            env=environment(
                POSTHOG_CLI_HOST=self.server.url,
                POSTHOG_CLI_API_KEY=self.key or self.server.printed("API key"),
                POSTHOG_CLI_PROJECT_ID=self.server.printed("project"),
                POSTHOG_CLI_ORGANIZATION_ID=self.server.printed("organization"),
            ),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def call(self, tool: str, *options: str, **given: Any) -> Any:
        done = self.run(*options, tool, json.dumps(given))
        assert done.returncode == 0, done
        return without_links(json.loads(done.stdout))

    def refusal(self, tool: str, **given: Any) -> str:
        done = self.run(tool, json.dumps(given))
        assert (done.returncode, done.stdout) == (1, ""), done
        return done.stderr


def without_links(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_links(item) for key, item in value.items() if key != LINK}
    return [without_links(item) for item in value] if isinstance(value, list) else value


def assert_part(part: Any, whole: Any) -> None:
    """Hold what the client shows against an answer of which it leaves keys out."""
    if isinstance(part, dict):
        for key, item in part.items():
            assert_part(item, whole[key])
    elif isinstance(part, list):
        for one, other in zip(part, whole, strict=True):
            assert_part(one, other)
    else:
        assert part == whole


@pytest.fixture(scope="module")
def cli(server: Serve) -> Cli:
    return Cli(server, node_client("@posthog/cli"))


def test_an_annotation_is_created_listed_changed_and_deleted(cli: Cli, server: Serve, project: int):
    content, marked = "We launched", "2026-01-02T03:04:05Z"
    made = cli.call("annotation-create", content=content, date_marker=marked, scope="project")
    path = f"projects/{project}/annotations/"
    one = f"{path}{made['id']}/"
    assert (made["content"], made["date_marker"], made["scope"]) == (content, marked, "project")
    assert made == held(server, one) == cli.call("annotation-retrieve", id=made["id"])
    server.note("of somebody else")
    listed = cli.call("annotations-list")
    assert [row["content"] for row in listed["results"]] == ["of somebody else", content]
    assert_part(listed, held(server, path))
    assert [row["id"] for row in cli.call("annotations-list", search="launch", limit=5)["results"]] == [made["id"]]
    changed = cli.call("annotations-partial-update", id=made["id"], content="We launched late")
    assert changed == held(server, one)
    assert (changed["content"], changed["date_marker"]) == ("We launched late", marked)
    assert "Re-run with" in cli.refusal("annotation-delete", id=made["id"])
    assert cli.call("annotation-delete", "--confirm", id=made["id"])["deleted"] is True
    assert [row["content"] for row in held(server, path)["results"]] == ["of somebody else"]


def test_a_dynamic_cohort_is_computed_listed_changed_and_deleted(cli: Cli, server: Serve, project: int):
    made = cli.call("cohorts-create", name="Payers", description="They pay", filters=on_plans("pro"))
    cohort = computed(server, project, made["id"])
    assert (cohort["name"], cohort["description"], cohort["count"]) == ("Payers", "They pay", 1)
    assert cli.call("cohorts-retrieve", id=made["id"]) == cohort
    listed = cli.call("cohorts-list", search="Payers")
    assert_part(listed, held(server, f"projects/{project}/cohorts/?search=Payers"))
    assert [(row["id"], row["count"]) for row in listed["results"]] == [(made["id"], 1)]
    cli.call("cohorts-partial-update", id=made["id"], name="On a plan", filters=on_plans("pro", "free"))
    cohort = computed(server, project, made["id"])
    assert (cohort["name"], cohort["count"]) == ("On a plan", 2)
    assert cli.call("cohorts-partial-update", id=made["id"], deleted=True)["deleted"] is True
    assert made["id"] not in [row["id"] for row in held(server, f"projects/{project}/cohorts/")["results"]]


def test_persons_enter_and_leave_a_static_cohort(cli: Cli, server: Serve, project: int):
    made = cli.call("cohorts-create", name="Picked", is_static=True)
    persons = f"projects/{project}/cohorts/{made['id']}/persons/"
    adding = "cohorts-add-persons-to-static-cohort-partial-update"
    assert cli.call(adding, id=made["id"], person_ids=[ANN, BEN]) == {"success": True}
    assert {person["id"] for person in held(server, persons)["results"]} == {ANN, BEN}
    removing = "cohorts-rm-person-from-static-cohort-partial-update"
    assert cli.call(removing, id=made["id"], person_id=ANN) == {"success": True}
    assert [person["id"] for person in held(server, persons)["results"]] == [BEN]
    assert cli.call("cohorts-retrieve", id=made["id"])["count"] == 1


def test_roles_and_their_members_are_shown(cli: Cli, server: Serve, organization: str):
    path = f"organizations/{organization}/roles/"
    listed = cli.call("roles-list")
    assert listed == held(server, path)
    [role] = listed["results"]
    assert role["name"] == "Engineering"
    assert cli.call("role-get", id=role["id"]) == role
    members = cli.call("role-members-list", role_id=role["id"])
    assert members == held(server, f"{path}{role['id']}/role_memberships/")
    assert [member["user"]["email"] for member in members["results"]] == ["bob@example.com"]
    everybody = cli.call("org-members-list")
    assert everybody == held(server, f"organizations/{organization}/members/")
    assert "bob@example.com" in [member["user"]["email"] for member in everybody["results"]]


def test_organizations_projects_and_the_user_are_shown(cli: Cli, server: Serve, organization: str, project: int):
    assert_part(cli.call("user-get"), held(server, "users/@me/"))
    organizations = held(server, "organizations/")
    assert [row["name"] for row in organizations["results"]] == ["Acme"]
    assert_part(cli.call("organizations-list"), organizations)
    assert_part(cli.call("organizations-get"), organizations["results"])
    assert_part(cli.call("organization-get"), held(server, f"organizations/{organization}/"))
    projects = held(server, "projects/")["results"]
    assert [row["name"] for row in projects] == ["Web", "App"]
    assert cli.call("projects-get") == projects
    for each, given in ((projects[0], {}), (projects[1], {"id": projects[1]["id"]})):
        shown = cli.call("project-get", **given)
        assert len(shown) > 50
        whole = held(server, f"projects/{each['id']}/")
        assert_part({key: item for key, item in shown.items() if key != "live_events_token"}, whole)


def test_another_project_or_organization_is_switched_to(cli: Cli, server: Serve, organization: str):
    app = held(server, "projects/")["results"][1]
    [content] = cli.call("switch-project", projectId=app["id"])["content"]
    assert f'project "App" (id: {app["id"]}, token: {app["api_token"]})' in content["text"]
    assert f'organization "Acme" (id: {organization})' in content["text"]
    [content] = cli.call("switch-organization", orgId=organization)["content"]
    assert f'organization "Acme" (id: {organization})' in content["text"]


def test_the_settings_of_a_project_are_changed(cli: Cli, server: Serve, project: int):
    path = f"projects/{project}/"
    shown = cli.call("project-settings-update", "--confirm", id=project, timezone="Europe/Berlin")
    assert shown["timezone"] == held(server, path)["timezone"] == "Europe/Berlin"
    rule = {"alias": "/users/<id>", "regex": r"/users/\d+"}
    operations = [{"action": "append", **rule}]
    result = cli.call("path-cleaning-rules-update", "--confirm", operations=operations, confirm=True)
    assert result["applied"] is True
    assert result["resulting_rules"] == held(server, path)["path_cleaning_filters"] == [{**rule, "order": 0}]


def test_errors_of_the_server_reach_the_user(cli: Cli, server: Serve):
    assert "Recording scope is deprecated" in cli.refusal("annotation-create", content="x", scope="recording")
    assert "404 Not Found" in cli.refusal("annotation-retrieve", id=999999)
    assert "INVALID_API_KEY" in Cli(server, cli.package, key="phx_of_nobody_at_all").refusal("annotations-list")


@pytest.mark.parametrize(
    ("tool", "given", "missing"),
    [
        ("advanced-activity-logs-list", {}, "GET /api/projects/{project}/advanced_activity_logs/"),
        ("products-enable", {"products": ["session_replay"]}, "POST /api/projects/{project}/product_enablement/"),
        ("persons-cohorts-retrieve", {"person_id": ANN}, "GET /api/projects/{project}/persons/cohorts/"),
    ],
)
def test_a_tool_beyond_the_page_says_what_is_missing(cli: Cli, tool: str, given: dict[str, Any], missing: str):
    message = cli.refusal(tool, **given)
    path = missing.format(organization=cli.server.printed("organization"), project=cli.server.printed("project"))
    assert f"Path: {path}" in message
    assert "Endpoint not found." in message
