"""The tools for agents of `arcade-posthog-api`, as they come from PyPI: `make client-test`."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.suites.clients.conftest import ANN, BEN, computed, environment, held, made, on_plans
from tests.suites.clients.installing import HERE, python_client
from tests.support.serving import Serve


class Arcade:
    def __init__(self, server: Serve) -> None:
        self.process = subprocess.Popen(
            [python_client("arcade") / "bin" / "python", HERE / "call_arcade.py"],
            env=environment(POSTHOG_SERVER_URL=server.url, POSTHOG_PERSONAL_API_KEY=server.printed("API key")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def outcome(self, tool: str, body: Any, arguments: dict[str, Any]) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps([tool, body, arguments]), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def call(self, tool: str, body: Any = None, **arguments: Any) -> Any:
        """Return the answer, which is no JSON where there is nothing to answer."""
        outcome = self.outcome(tool, body, arguments)
        assert outcome == {"response_text": ""} or list(outcome) == ["response_json"], outcome
        return outcome.get("response_json")

    def refusal(self, tool: str, body: Any = None, **arguments: Any) -> str:
        outcome = self.outcome(tool, body, arguments)
        assert list(outcome) == ["refused"], outcome
        return outcome["refused"]

    def end(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait(20) == 0
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture(scope="module")
def arcade(server: Serve) -> Iterator[Arcade]:
    arcade = Arcade(server)
    yield arcade
    arcade.end()


def test_an_annotation_is_created_listed_and_changed(arcade: Arcade, server: Serve, project: int):
    made = arcade.call("create_annotation", {"content": "We launched", "scope": "project"}, project_id=str(project))
    path = f"projects/{project}/annotations/"
    one = f"{path}{made['id']}/"
    at = {"annotation_id": made["id"], "project_identifier": str(project)}
    assert made == held(server, one) == arcade.call("retrieve_project_annotation", **at)
    server.note("of somebody else")
    listing = {"project_id": str(project), "results_limit_per_page": 1, "initial_result_index": 1}
    listed = arcade.call("list_annotations_for_project", **listing)
    assert listed == held(server, f"{path}?limit=1&offset=1")
    assert (listed["count"], listed["results"]) == (2, [made])
    found = arcade.call("list_annotations_for_project", project_id=str(project), search_term="launch")
    assert found["results"] == [made]
    changed = arcade.call("update_annotation", {"content": "We launched late"}, **at)
    assert changed == held(server, one)
    assert changed["content"] == "We launched late"
    assert "405 Method Not Allowed" in arcade.refusal(
        "delete_annotation", annotation_id=made["id"], project_id_for_annotation=str(project)
    )
    deleting = {"annotation_id": made["id"], "project_id": str(project)}
    assert arcade.call("modify_annotation", {"deleted": True}, **deleting)["deleted"] is True
    assert [row["content"] for row in held(server, path)["results"]] == ["of somebody else"]


def test_an_error_of_the_server_reaches_the_agent(arcade: Arcade, project: int):
    message = arcade.refusal("create_annotation", {"scope": "nonsense"}, project_id=str(project))
    error = {"code": "invalid_choice", "detail": '"nonsense" is not a valid choice.', "attr": "scope"}
    assert json.loads(message.partition("API returned 400: ")[2]) == {"type": "validation_error", **error}


def test_a_dynamic_cohort_is_computed_and_changed(arcade: Arcade, server: Serve, project: int):
    body = {"name": "Payers", "filters": on_plans("pro")}
    made = arcade.call("create_cohort_tracking", body, project_id=str(project))
    cohort = computed(server, project, made["id"])
    at = {"cohort_id": made["id"], "project_id": str(project)}
    assert cohort["count"] == 1
    assert arcade.call("retrieve_cohorts_data", cohort_identifier=made["id"], project_id=str(project)) == cohort
    listed = arcade.call("list_project_cohorts", project_id=str(project), results_per_page=5)
    assert listed == held(server, f"projects/{project}/cohorts/?limit=5")
    assert cohort in listed["results"]
    persons = arcade.call("get_cohort_persons", **at)
    assert [(person["id"], person["properties"]) for person in persons["results"]] == [(ANN, {"plan": "pro"})]
    arcade.call("update_cohort_views", {"filters": on_plans("pro", "free")}, **at)
    assert computed(server, project, made["id"])["count"] == 2
    history = arcade.call("retrieve_cohort_calculation_history", **at)
    assert history == held(server, f"projects/{project}/cohorts/{made['id']}/calculation_history/")
    assert [row["count"] for row in history["results"]] == [2, 1]


def test_persons_enter_and_leave_a_static_cohort(arcade: Arcade, server: Serve, project: int):
    made = arcade.call("create_cohort_tracking", {"name": "Picked", "is_static": True}, project_id=str(project))
    path = f"projects/{project}/cohorts/{made['id']}/"
    at = {"cohort_id": made["id"], "project_identifier": str(project)}
    arcade.call("add_persons_to_static_cohort", person_uuids_to_add=[ANN, BEN], **at)
    assert {person["id"] for person in held(server, f"{path}persons/")["results"]} == {ANN, BEN}
    here = {"cohort_id": made["id"], "project_id": str(project)}
    arcade.call("remove_person_from_static_cohort", person_uuid_to_remove=ANN, **here)
    assert [person["id"] for person in arcade.call("get_cohort_persons", **here)["results"]] == [BEN]
    replacing = {"cohort_identifier": made["id"], "project_identifier": str(project)}
    assert arcade.call("modify_cohort_views", {"name": "Chosen"}, **replacing)["name"] == "Chosen"
    activity = arcade.call("get_cohort_activity", **here)
    assert activity == held(server, f"{path}activity/")
    doings = ["updated", "person_removed_manually", "persons_added_manually", "created"]
    assert [row["activity"] for row in activity["results"]] == doings
    assert arcade.call("retrieve_cohort_activity", project_id=str(project))["results"][:4] == activity["results"]
    assert "405 Method Not Allowed" in arcade.refusal("set_cohort_deleted", **here)
    assert held(server, path)["deleted"] is False


def test_a_role_gets_a_member_and_is_deleted(arcade: Arcade, server: Serve, organization: str):
    path = f"organizations/{organization}/roles/"
    role = arcade.call("create_role_in_organization", {"name": "Sales"}, organization_id=organization)
    one = f"{path}{role['id']}/"
    at = {"organization_id": organization, "role_uuid": role["id"]}
    reading = {"organization_identifier": organization, "role_id": role["id"]}
    assert role == held(server, one) == arcade.call("retrieve_role_details", **reading)
    assert arcade.call("update_organization_role", {"name": "Sellers"}, **at) == held(server, one)
    assert (
        arcade.call("update_role_details", {"name": "Vendors"}, **at)["name"] == held(server, one)["name"] == "Vendors"
    )
    listed = arcade.call("list_organization_roles", organization_identifier=organization, results_per_page=5)
    assert listed == held(server, f"{path}?limit=5")
    assert {row["name"] for row in listed["results"]} == {"Engineering", "Vendors"}
    alice = arcade.call("retrieve_user_information", user_unique_identifier="@me")
    assert alice == held(server, "users/@me/")
    place = {"organization_id": organization, "role_identifier": role["id"]}
    member = arcade.call("create_role_membership", {"user_uuid": alice["uuid"]}, **place)
    assert member["user"]["email"] == "alice@example.com"
    members = arcade.call("list_role_memberships", **place)
    assert members == held(server, f"{one}role_memberships/")
    assert members["results"] == [member]
    arcade.call("remove_role_membership", role_membership_id=member["id"], **reading)
    assert held(server, f"{one}role_memberships/")["results"] == []
    arcade.call("delete_role_in_organization", organization_id=organization, role_id=role["id"])
    assert [row["name"] for row in held(server, path)["results"]] == ["Engineering"]


def test_organizations_and_projects_are_listed(arcade: Arcade, server: Serve, organization: str):
    listed = arcade.call("list_organizations")
    assert listed == held(server, "organizations/")
    assert [row["name"] for row in listed["results"]] == ["Acme"]
    shown = arcade.call("get_organization_details", organization_id=organization)
    assert shown == held(server, f"organizations/{organization}/")
    projects = arcade.call("get_current_org_projects", organization_identifier=organization, results_per_page=1)
    assert projects == held(server, f"organizations/{organization}/projects/?limit=1")
    assert [row["name"] for row in projects["results"]] == ["Web"]


def test_a_project_is_created_acted_upon_and_deleted(arcade: Arcade, server: Serve, organization: str):
    named = {"organization_identifier": organization}
    created = arcade.call("create_project_for_organization", {"name": "Third"}, **named)
    path = f"organizations/{organization}/projects/{created['id']}/"
    named |= {"project_id": created["id"]}
    at = {"organization_id": organization, "project_id": created["id"]}

    def agrees(shown: Any) -> Any:
        whole = held(server, path)
        for project in (shown, whole):
            project.pop("live_events_token")  # it holds the time
        assert shown == whole
        return shown

    assert agrees(arcade.call("get_organization_project_details", **named))["name"] == "Third"
    assert agrees(arcade.call("update_project_details", {"name": "Shop"}, **named))["name"] == "Shop"
    moved = agrees(arcade.call("update_organization_project", {"timezone": "Asia/Tokyo"}, **named))
    assert moved["timezone"] == "Asia/Tokyo"
    onboarded = agrees(arcade.call("update_project_onboarding_status", {"product_type": "surveys"}, **named))
    assert [intent["product_type"] for intent in onboarded["product_intents"]] == ["surveys"]
    assert agrees(arcade.call("reset_project_token", {}, **at))["api_token"] != created["api_token"]
    first = agrees(arcade.call("rotate_secret_token_for_project", {}, **at))["secret_api_token"]
    second = agrees(arcade.call("rotate_secret_token_for_project", {}, **at))
    assert second["secret_api_token_backup"] == first != second["secret_api_token"]
    assert agrees(arcade.call("delete_secret_token_backup", {}, **at))["secret_api_token_backup"] is None
    demo = arcade.call(
        "check_demo_data_generation_status", organization_identifier=organization, project_identifier=created["id"]
    )
    assert demo["is_generating_demo_data"] is False
    activity = arcade.call("retrieve_project_activity", **at)
    assert activity == held(server, f"{path}activity/")
    assert activity["results"][-1]["activity"] == "created"
    arcade.call("delete_project", **named)
    assert server.call("GET", f"/api/{path}")[0] == 404


def test_a_cohort_is_copied(arcade: Arcade, server: Serve, project: int):
    source = made(server, f"projects/{project}/cohorts/", name="On pro", filters=on_plans("pro"))
    computed(server, project, source["id"])
    named = {"cohort_identifier": source["id"], "project_identifier": str(project)}
    copy = arcade.call("create_static_cohort_copy", **named)
    assert (copy["name"], copy["is_static"]) == ("On pro (static copy)", True)
    assert computed(server, project, copy["id"])["count"] == 1


def test_a_tool_beyond_the_page_says_so(arcade: Arcade, server: Serve, organization: str, project: int):
    of_organization = {"organization_identifier": organization}
    outcomes = [
        arcade.refusal("update_project_product_intent", {}, project_id=project, **of_organization),
        arcade.refusal("create_organization_project", {}, project_unique_id=project, **of_organization),
        arcade.refusal("get_project_activity_log", project_identifier=str(project)),
    ]
    paths = [
        f"organizations/{organization}/projects/{project}/add_product_intent/",
        f"organizations/{organization}/projects/{project}/change_organization/",
        f"projects/{project}/activity_log/",
    ]
    for outcome, path in zip(outcomes, paths, strict=True):
        assert f"404 Not Found' for url '{server.url}/api/{path}'" in outcome
