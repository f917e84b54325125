"""The MCP server `mcparmory-posthog`, as it comes from PyPI, its tools called as an agent does: `make client-test`."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.suites.clients.conftest import ANN, BEN, computed, held, made, on_plans
from tests.suites.clients.installing import python_client
from tests.suites.clients.model_context_protocol import McpServer, mcp_server
from tests.support.serving import Serve


def running(server: Serve, key: str) -> AbstractContextManager[McpServer]:
    command = python_client("mcparmory") / "bin" / "mcparmory-posthog"
    options = ("--rate-limiting", "disabled")
    return mcp_server(command, *options, BASE_URL=server.url, BEARER_TOKEN=key, LOG_LEVEL="ERROR")


@pytest.fixture(scope="module")
def armory(server: Serve) -> Iterator[McpServer]:
    with running(server, server.printed("API key")) as armory:
        yield armory


def refusal(armory: McpServer, tool: str, **arguments: Any) -> tuple[int, dict[str, Any]]:
    """Return the status and the error that the agent is shown."""
    shown = armory.request("tools/call", name=tool, arguments=arguments)["structuredContent"]
    assert shown["ok"] is False, shown
    return shown["status"], shown["details"]


def steady(project: dict[str, Any]) -> dict[str, Any]:
    """Return a project without the key that holds the time."""
    return {key: value for key, value in project.items() if key != "live_events_token"}


def test_an_annotation_is_created_listed_changed_and_deleted(armory: McpServer, server: Serve, project: int):
    path = f"projects/{project}/annotations/"
    at = {"project_id": str(project)}
    row = armory.call("create_annotation", date_marker="2026-01-02T03:04:05Z", **at)
    one = {"id": row["id"], **at}
    assert row == held(server, f"{path}{row['id']}/") == armory.call("get_annotation", **one)
    assert row["date_marker"] == "2026-01-02T03:04:05Z"
    server.note("of somebody else")
    assert armory.call("list_annotations", limit=1, offset=1, **at) == held(server, f"{path}?limit=1&offset=1")
    changed = armory.call("update_annotation", date_marker="2026-02-03T04:05:06Z", **one)
    assert changed == held(server, f"{path}{row['id']}/")
    assert changed["date_marker"] == "2026-02-03T04:05:06Z"
    changed = armory.call("update_annotation_partial", date_marker="2026-03-04T05:06:07Z", **one)
    assert changed["date_marker"] == "2026-03-04T05:06:07Z"
    assert armory.call("annotations_destroy", **one)["deleted"] is True
    assert [row["content"] for row in held(server, path)["results"]] == ["of somebody else"]


def test_a_dynamic_cohort_is_computed_listed_changed_and_deleted(armory: McpServer, server: Serve, project: int):
    at = {"project_id": str(project)}
    made = armory.call("create_cohort", description="They pay", filters=on_plans("pro"), **at)
    path = f"projects/{project}/cohorts/{made['id']}/"
    one = {"id": made["id"], **at}
    cohort = computed(server, project, made["id"])
    assert (cohort["description"], cohort["count"]) == ("They pay", 1)
    assert armory.call("get_cohort", **one) == cohort
    assert armory.call("list_cohorts", limit=5, **at) == held(server, f"projects/{project}/cohorts/?limit=5")
    assert [person["id"] for person in armory.call("list_cohort_persons", **one)["results"]] == [ANN]
    armory.call("update_cohort_partial", filters=on_plans("pro", "free"), **one)
    assert computed(server, project, made["id"])["count"] == 2
    assert armory.call("update_cohort", description="They may pay", **one)["description"] == "They may pay"
    computed(server, project, made["id"])
    history = armory.call("get_cohort_calculation_history", **one)
    assert history == held(server, f"{path}calculation_history/")
    assert [row["count"] for row in history["results"]][-2:] == [2, 1]
    activity = armory.call("get_cohort_activity", **one)
    assert activity == held(server, f"{path}activity/")
    assert [row["activity"] for row in activity["results"]] == ["updated", "updated", "created"]
    assert armory.call("list_cohorts_activity", **at) == held(server, f"projects/{project}/cohorts/activity/")
    assert armory.call("cohorts_destroy", **one)["deleted"] is True
    assert held(server, path)["deleted"] is True


def test_persons_are_added_to_a_static_cohort(armory: McpServer, server: Serve, project: int):
    cohort = made(server, f"projects/{project}/cohorts/", name="Picked", is_static=True)
    one = {"id": cohort["id"], "project_id": str(project)}
    assert armory.call("add_persons_to_static_cohort", person_ids=[ANN, BEN], **one) == {"success": True}
    persons = armory.call("list_cohort_persons", **one)
    assert {person["id"] for person in persons["results"]} == {ANN, BEN}
    # The tool cannot name a person.
    status, error = refusal(armory, "remove_person_from_static_cohort", **one)
    assert (status, error["type"]) == (400, "validation_error")


def test_a_role_gets_a_member_and_is_deleted(armory: McpServer, server: Serve, organization: str):
    path = f"organizations/{organization}/roles/"
    role = made(server, path, name="Sales")
    at = {"organization_id": organization}
    one = {"id": role["id"], **at}
    # The tool that updates a role has no field to change.
    assert armory.call("get_role", **one) == armory.call("update_role", **one) == held(server, f"{path}{role['id']}/")
    place = {"role_id": role["id"], **at}
    alice = held(server, "users/@me/")["uuid"]
    member = armory.call("add_user_to_role", user_uuid=alice, **place)
    assert member["user"]["email"] == "alice@example.com"
    members = armory.call("list_role_memberships", limit=5, **place)
    assert members == held(server, f"{path}{role['id']}/role_memberships/?limit=5")
    assert members["results"] == [member] == [armory.call("get_role_membership", id=member["id"], **place)]
    armory.call("remove_role_membership", id=member["id"], **place)
    assert held(server, f"{path}{role['id']}/role_memberships/")["results"] == []
    armory.call("delete_role", **one)
    assert [row["name"] for row in held(server, path)["results"]] == ["Engineering"]


def test_organizations_are_listed_and_shown(armory: McpServer, server: Serve, organization: str):
    assert armory.call("list_organizations", limit=5) == held(server, "organizations/?limit=5")
    assert armory.call("get_organization", id=organization) == held(server, f"organizations/{organization}/")


def test_a_project_is_created_changed_and_deleted(armory: McpServer, server: Serve, organization: str):
    at = {"organization_id": organization}
    created = armory.call("create_project", product_description="A shop", timezone="Asia/Tokyo", **at)
    path = f"organizations/{organization}/projects/"
    one = {"id": str(created["id"]), **at}
    assert (created["product_description"], created["timezone"]) == ("A shop", "Asia/Tokyo")
    assert steady(armory.call("get_project", **one)) == steady(held(server, f"{path}{created['id']}/"))
    assert armory.call("list_projects_for_organization", limit=2, **at) == held(server, f"{path}?limit=2")
    assert armory.call("update_project", product_description="A market", **one)["product_description"] == "A market"
    changed = armory.call("update_project_settings", anonymize_ips=True, app_urls=["https://example.com"], **one)
    assert (changed["anonymize_ips"], changed["app_urls"]) == (True, ["https://example.com"])
    armory.call("delete_project", **one)
    assert server.call("GET", f"/api/{path}{created['id']}/")[0] == 404


def test_errors_of_the_server_reach_the_agent(armory: McpServer, server: Serve, organization: str, project: int):
    missing = {"type": "invalid_request", "code": "not_found", "detail": "Not found.", "attr": None}
    assert refusal(armory, "get_cohort", id=999999, project_id=str(project)) == (404, missing)
    at = {"id": str(project), "organization_id": organization}
    status, error = refusal(armory, "update_project_settings", slack_incoming_webhook="http://example.com", **at)
    assert (status, error["type"], error["attr"]) == (400, "validation_error", "slack_incoming_webhook")
    with running(server, "phx_of_nobody_at_all") as stranger:
        status, error = refusal(stranger, "list_organizations")
    assert (status, error["code"]) == (401, "authentication_failed")


@pytest.mark.parametrize("tool", ["list_users", "list_organization_invites", "list_insights", "list_feature_flags"])
def test_a_tool_beyond_the_page_says_so(armory: McpServer, organization: str, project: int, tool: str):
    at = {"organization_id": organization} if "organization" in tool else {"project_id": str(project)}
    status, error = refusal(armory, tool, **({} if tool == "list_users" else at))
    assert status == 404
    assert error["detail"].startswith("Endpoint not found.")
