"""The console as its user sees it: log in, make a key, use it, see its use; buttons ask; stored markup is text."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, StorageState, expect

from tests.suites.browser.watching import Watched, watching
from tests.support.serving import Serve

pytest_plugins = ("tests.suites.browser.fixtures",)

MARKUP = "<img src=x onerror='document.title=`was run`'>"
LISTS = {
    "users": "accounts/user/",
    "organizations": "accounts/organization/",
    "keys": "accounts/personalapikey/",
    "projects": "projects/project/",
    "roles": "roles/role/",
    "annotations": "annotations/annotation/",
    "cohorts": "cohorts/cohort/",
    "jobs": "procrastinate/procrastinatejob/",
    "activity": "activity/activitylog/",
}


@pytest.fixture
def console(browser: Browser, pictures: Path, session: StorageState) -> Iterator[Watched]:
    with watching(browser, pictures, storage_state=session) as watched:
        yield watched


def row(watched: Watched, text: str) -> Locator:
    return watched.page.locator("#result_list tbody tr", has_text=text)


def test_a_key_is_made_used_seen_used_and_revoked(console: Watched, server: Serve):
    page = console.page
    page.goto(f"{server.url}/admin/")
    page.get_by_role("link", name="API keys").click()
    page.get_by_role("link", name=re.compile("^add", re.IGNORECASE)).first.click()
    page.locator("[aria-labelledby='select2-id_user-container']").click()
    page.locator(".select2-search__field").fill("alice")
    page.get_by_role("option", name="alice@example.com").click()
    page.get_by_label("Label").fill("made in a browser")
    page.get_by_label("annotation:write").check()
    page.get_by_label("user:read").check()
    console.picture("console-key-form")
    page.get_by_role("button", name="Save", exact=True).click()
    value = page.locator("#secret").inner_text()
    console.picture("console-key-shown")
    assert re.fullmatch(r"phx_\w{40,60}", value)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the key").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == value
    page.get_by_role("link", name="API keys").click()
    expect(row(console, "made in a browser").locator(".field-last_used")).to_have_text("never")
    status, me = server.call("GET", "/api/users/@me/", key=value)
    assert (status, me["email"]) == (200, "alice@example.com")
    page.reload()
    used = row(console, "made in a browser").locator(".field-last_used time")
    expect(used).to_have_text("just now")
    expect(used).to_have_attribute("title", re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"))
    console.picture("console-keys")
    assert value not in page.content()
    row(console, "made in a browser").get_by_role("link", name="made in a browser").click()
    page.get_by_role("link", name="Revoke this key").click()
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_text("The key “made in a browser” was revoked")).to_be_visible()
    assert page.url == f"{server.url}/admin/{LISTS['keys']}"
    assert server.call("GET", "/api/users/@me/", key=value)[0] == 401
    assert console.complaints == []


@pytest.mark.parametrize("name", LISTS)
def test_a_list_shows_whole_and_asks_no_other_host(console: Watched, server: Serve, name: str):
    server.note(MARKUP)
    page = console.page
    page.goto(f"{server.url}/admin/{LISTS[name]}")
    page.wait_for_load_state("networkidle")
    console.picture(f"console-{name}")
    links = page.locator("#result_list tbody th a")
    if links.count():
        links.first.click()
        page.wait_for_load_state("networkidle")
        console.picture(f"console-{name}-one")
    assert page.title() != "was run"
    assert console.complaints == []
    assert console.hosts() == {server.url.removeprefix("http://")}


def test_stored_markup_is_text(console: Watched, server: Serve):
    server.note(MARKUP)
    page = console.page
    for path in (LISTS["annotations"], LISTS["activity"]):
        page.goto(f"{server.url}/admin/{path}")
        expect(page.locator("#result_list").get_by_text(MARKUP).first).to_be_visible()
        page.locator("#result_list tbody th a").first.click()
        page.wait_for_load_state("networkidle")
        assert page.locator("img[src=x]").count() == 0
        assert page.title() != "was run"
    assert console.complaints == []


def test_a_button_asks_then_acts_and_says_so(console: Watched, server: Serve):
    page, project = console.page, server.printed("project")
    before = server.call("GET", f"/api/projects/{project}/")[1]
    page.goto(f"{server.url}/admin/projects/project/{project}/change/")
    page.get_by_role("link", name="Reset the project token").click()
    dialog = page.locator("#dialog")
    expect(dialog.get_by_text("Events with the current token")).to_be_visible()
    console.picture("console-dialog")
    dialog.get_by_text("Cancel").click()
    assert server.call("GET", f"/api/projects/{project}/")[1]["api_token"] == before["api_token"]
    page.get_by_role("link", name="Reset the project token").click()
    dialog.get_by_role("button", name="Reset the project token").click()
    expect(page.get_by_text("The project has a new token.")).to_be_visible()
    console.picture("console-acted")
    assert server.call("GET", f"/api/projects/{project}/")[1]["api_token"] != before["api_token"]
    assert console.complaints == []


@pytest.mark.parametrize(
    ("look", "options"),
    [
        ("phone", {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "is_mobile": True}),
        ("dark", {"color_scheme": "dark"}),
    ],
)
def test_the_console_fits(
    browser: Browser, pictures: Path, server: Serve, session: StorageState, look: str, options: dict[str, Any]
):
    with watching(browser, pictures, storage_state=session, **options) as watched:
        watched.page.goto(f"{server.url}/admin/")
        expect(watched.page.get_by_text("failing cohorts")).to_be_visible()
        watched.picture(f"console-{look}")
        watched.page.goto(f"{server.url}/admin/{LISTS['keys']}")
        watched.picture(f"console-keys-{look}")
        assert watched.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert watched.complaints == []


def test_a_user_who_is_not_logged_in_is_led_to_the_login_and_back(watched: Watched, server: Serve):
    watched.page.goto(f"{server.url}/admin/cohorts/cohort/")
    expect(watched.page.get_by_role("button", name="Log in")).to_be_visible()
    assert "next=/admin/cohorts/cohort/" in watched.page.url
    assert watched.complaints == []
