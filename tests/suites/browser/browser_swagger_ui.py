"""Swagger UI as people use it: authorize, open an operation, try it out. Run: make browser-test."""

import json
from typing import Any

from playwright.sync_api import Locator, expect

from tests.suites.browser.watching import Watched
from tests.support.serving import Serve

pytest_plugins = ("tests.suites.browser.fixtures",)


def authorize(watched: Watched, key: str) -> None:
    page = watched.page
    page.locator(".btn.authorize").click()
    page.locator(".auth-container input").fill(key)
    watched.picture("swagger-ui-authorize")
    page.locator(".auth-btn-wrapper .authorize").click()
    page.locator(".auth-btn-wrapper .btn-done").click()


def try_out(watched: Watched, operation: str, project: str, body: Any = None) -> tuple[str, Any]:
    """Execute an operation for a project; return the status and the JSON that are shown."""
    block: Locator = watched.page.locator(f"#operations-annotations-{operation}")
    if not block.locator(".execute").is_visible():
        block.locator(".opblock-summary-control").click()
        block.get_by_role("button", name="Try it out").click()
    block.locator("tr[data-param-name=project_id] input").fill(project)
    if body is not None:
        block.locator(".body-param textarea").fill(json.dumps(body))
    block.locator(".execute").click()
    shown = block.locator(".live-responses-table .response")
    expect(shown).to_be_visible()
    status = shown.locator(".response-col_status").inner_text().split()[0]
    watched.picture(f"swagger-ui-{operation}-{status}", block)
    return status, json.loads(shown.locator(".response-col_description pre").first.inner_text())


def open_swagger_ui(watched: Watched, server: Serve) -> None:
    watched.page.goto(f"{server.url}/api/schema/swagger-ui/")


def test_a_list_is_shown_to_who_has_pasted_the_key(watched: Watched, server: Serve):
    server.note("seen in Swagger UI")
    open_swagger_ui(watched, server)
    authorize(watched, server.printed("API key"))
    status, shown = try_out(watched, "annotations_list", server.printed("project"))
    assert status == "200"
    assert shown == server.call("GET", server.annotations)[1]
    assert "seen in Swagger UI" in {row["content"] for row in shown["results"]}
    assert watched.complaints == []


def test_the_key_stays_when_the_page_is_loaded_again(watched: Watched, server: Serve):
    open_swagger_ui(watched, server)
    authorize(watched, server.printed("API key"))
    watched.page.reload()
    assert try_out(watched, "annotations_list", server.printed("project"))[0] == "200"
    assert watched.complaints == []


def test_what_is_created_there_is_there(watched: Watched, server: Serve):
    open_swagger_ui(watched, server)
    authorize(watched, server.printed("API key"))
    body = {"content": "made in Swagger UI", "scope": "project"}
    status, shown = try_out(watched, "annotations_create", server.printed("project"), body)
    assert status == "201"
    assert server.call("GET", f"{server.annotations}{shown['id']}/") == (200, shown)
    assert shown["content"] == "made in Swagger UI"
    assert "csrf" not in watched.page.locator(".curl-command").inner_text().lower()
    assert watched.complaints == []


def test_without_a_key_it_is_refused(watched: Watched, server: Serve):
    open_swagger_ui(watched, server)
    status, shown = try_out(watched, "annotations_list", server.printed("project"))
    assert (status, shown["code"]) == ("401", "not_authenticated")
    assert {each.partition(":")[0] for each in watched.complaints} == {"401", "error"}
    assert all("401" in each for each in watched.complaints)


def test_the_error_of_onboarding_is_shown_with_its_own_key(watched: Watched, server: Serve):
    open_swagger_ui(watched, server)
    block = watched.page.locator("#operations-projects-complete_product_onboarding_partial_update")
    block.locator(".opblock-summary-control").click()
    shown = {
        status: json.loads(block.locator(f".response[data-code='{status}'] .example").inner_text())
        for status in ("400", "404")
    }
    assert shown["400"].keys() - shown["404"].keys() == {"error"}
    watched.picture("swagger-ui-onboarding-error", block)
    assert watched.complaints == []


def test_it_opens_with_the_operations_of_the_page_and_current_filled_in(watched: Watched, server: Serve):
    open_swagger_ui(watched, server)
    expect(watched.page.locator(".opblock")).to_have_count(18)
    authorize(watched, server.printed("API key"))
    assert try_out(watched, "annotations_list", "@current")[0] == "200"
    block = watched.page.locator("#operations-roles-roles_list")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    expect(block.locator("tr[data-param-name=organization_id] input")).to_have_value("@current")
    block.locator(".execute").click()
    expect(block.locator(".live-responses-table .response .response-col_status")).to_contain_text("200")
    watched.page.goto(f"{server.url}/api/schema/swagger-ui/?all")
    expect(watched.page.locator(".opblock")).not_to_have_count(18)
    assert watched.complaints == []
