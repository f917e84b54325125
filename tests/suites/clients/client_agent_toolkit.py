"""The tools for agents of `@posthog/agent-toolkit`, as they come from npm: `make client-test`."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.suites.clients.conftest import environment
from tests.suites.clients.installing import HERE, node_client
from tests.support.serving import Serve


class Toolkit:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.tools = self.read()

    def read(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def outcome(self, tool: str, **arguments: Any) -> Any:
        assert self.process.stdin
        print(json.dumps([tool, arguments]), file=self.process.stdin, flush=True)
        return self.read()

    def choose(self, tool: str, **arguments: Any) -> None:
        """Call a tool that the server does not see: the toolkit remembers what it is given."""
        assert list(self.outcome(tool, **arguments)) == ["content"]

    def call(self, tool: str, **arguments: Any) -> Any:
        """Return the JSON that an agent reads."""
        outcome = self.outcome(tool, **arguments)
        assert list(outcome) == ["content"], outcome
        return json.loads(outcome["content"][0]["text"])

    def refusal(self, tool: str, **arguments: Any) -> str:
        outcome = self.outcome(tool, **arguments)
        assert list(outcome) == ["refused"], outcome
        return outcome["refused"]


@contextmanager
def running(server: Serve, key: str) -> Iterator[Toolkit]:
    with subprocess.Popen(
        ["node", HERE / "call_agent_toolkit.cjs", node_client("@posthog/agent-toolkit")],
        env=environment(POSTHOG_API_BASE_URL=server.url, POSTHOG_PERSONAL_API_KEY=key),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Toolkit(process)
    assert process.returncode == 0


@pytest.fixture(scope="module")
def toolkit(server: Serve) -> Iterator[Toolkit]:
    with running(server, server.printed("API key")) as toolkit:
        yield toolkit


def test_a_wrong_key_opens_no_tool(server: Serve):
    with running(server, "phx_of_nobody_at_all") as stranger:
        assert stranger.tools == []


def test_organizations_and_projects_are_listed(toolkit: Toolkit, organization: str, project: int):
    acme = {"id": organization, "name": "Acme"}
    assert toolkit.call("organizations-get") == [acme]
    assert toolkit.call("organization-details-get") == acme
    assert toolkit.call("projects-get") == [
        {"id": project, "name": "Web", "organization": organization},
        {"id": project + 1, "name": "App", "organization": organization},
    ]


def test_the_current_project_is_used_until_another_is_chosen(toolkit: Toolkit, project: int):
    assert f"/api/projects/{project}/feature_flags/: Not Found" in toolkit.refusal("feature-flag-get-all")
    toolkit.choose("switch-project", projectId=project + 1)
    assert f"/api/projects/{project + 1}/feature_flags/: Not Found" in toolkit.refusal("feature-flag-get-all")


def test_errors_of_the_server_reach_the_agent(toolkit: Toolkit, organization: str):
    toolkit.choose("switch-organization", orgId="0195a0c0-0000-7000-8000-00000000000f")
    assert '"detail":"Organization not found."' in toolkit.refusal("projects-get")
    assert '"detail":"Not found."' in toolkit.refusal("organization-details-get")
    toolkit.choose("switch-organization", orgId=organization)
    assert toolkit.call("organization-details-get")["name"] == "Acme"


@pytest.mark.parametrize("tool", ["dashboards-get-all", "insights-get-all", "surveys-get-all"])
def test_a_tool_beyond_the_page_says_so(toolkit: Toolkit, tool: str):
    assert "404" in toolkit.refusal(tool)
