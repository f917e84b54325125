"""Pages as people with other eyes, hands and screens have them: axe finds nothing, all fits. Run: make browser-test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, StorageState, expect

from tests.suites.browser.browser_console import LISTS
from tests.suites.browser.watching import Watched, watching
from tests.support.serving import Serve

pytest_plugins = ("tests.suites.browser.fixtures",)

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1366, "height": 900}},
    "dark": {"viewport": {"width": 1366, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True},
}
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
RULES = ["landmark-one-main", "page-has-heading-one", "region"]
FILTERS = {
    "properties": {
        "type": "AND",
        "values": [{"type": "person", "key": "plan", "operator": "exact", "value": ["pro"]}],
    }
}


@pytest.fixture(params=LOOKS)
def looked_at(
    request: pytest.FixtureRequest, browser: Browser, pictures: Path, session: StorageState
) -> Iterator[tuple[str, Watched]]:
    with watching(browser, pictures, storage_state=session, **LOOKS[request.param]) as watched:
        yield request.param, watched


def check(watched: Watched, name: str) -> None:
    """Take a picture; find nothing that axe complains of, nothing wider than the screen, nothing refused."""
    watched.page.wait_for_load_state("networkidle")
    watched.picture(f"accessible-{name}")
    found = []
    for kind, values in (("tag", STANDARDS), ("rule", RULES)):
        found += Axe().run(watched.page, options={"runOnly": {"type": kind, "values": values}}).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
    assert watched.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def addresses(server: Serve) -> dict[str, str]:
    """Return the pages of the console by name, with a cohort and an annotation on them."""
    project = server.printed("project")
    status, cohort = server.call("POST", f"/api/projects/{project}/cohorts/", {"name": "Paying", "filters": FILTERS})
    assert status == 201
    server.note("on the time line")
    pages = {"home": "", "key-form": "accounts/personalapikey/add/", **LISTS}
    pages |= {"project": f"projects/project/{project}/change/", "cohort": f"cohorts/cohort/{cohort['id']}/change/"}
    return {name: f"/admin/{path}" for name, path in pages.items()}


def test_the_console_is_accessible_and_fits(looked_at: tuple[str, Watched], server: Serve):
    look, watched = looked_at
    for name, path in addresses(server).items():
        watched.page.goto(server.url + path)
        check(watched, f"{name}-{look}")
    assert watched.complaints == []


@pytest.mark.parametrize("look", LOOKS)
def test_pages_outside_the_console_are_accessible_and_fit(browser: Browser, pictures: Path, server: Serve, look: str):
    with watching(browser, pictures, **LOOKS[look]) as watched:
        for name, path in {"index": "/", "login": "/admin/login/"}.items():
            watched.page.goto(server.url + path)
            check(watched, f"{name}-{look}")
        assert watched.complaints == []
        watched.page.goto(f"{server.url}/nothing")
        check(watched, f"error-{look}")


def test_the_keyboard_skips_to_the_content(looked_at: tuple[str, Watched], server: Serve):
    watched = looked_at[1]
    watched.page.goto(f"{server.url}/admin/")
    watched.page.keyboard.press("Tab")
    expect(watched.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    watched.page.keyboard.press("Enter")
    expect(watched.page.locator("main")).to_be_focused()


def test_every_page_has_a_title_and_the_icon(looked_at: tuple[str, Watched], server: Serve):
    page = looked_at[1].page
    titles = set()
    paths = ["/", "/admin/", "/api/schema/swagger-ui/", "/api/schema/redoc/", "/nothing"]
    for path in paths:
        page.goto(server.url + path)
        titles.add(page.title().strip())
        icon = page.locator("link[rel=icon]").first.get_attribute("href") or ""
        answer = page.request.get(server.url + icon)
        assert "#1d4ed8" in answer.text(), path
    assert len(titles) == len(paths)
    assert all("Core6" in title for title in titles)


def test_charts_are_drawn_and_said(looked_at: tuple[str, Watched], server: Serve):
    page = looked_at[1].page
    page.goto(f"{server.url}/admin/")
    page.wait_for_load_state("networkidle")
    charts = page.locator("figure.core6-chart")
    expect(charts).to_have_count(2)
    expect(charts.first).to_contain_text("requests of the API in the last hour")


def test_filters_are_edited_and_a_refusal_is_shown(looked_at: tuple[str, Watched], server: Serve):
    look, watched = looked_at
    page = watched.page
    page.goto(server.url + addresses(server)["cohort"])
    page.get_by_label("Filters").fill('{"properties": {"type": "AND", "values": [{"type": "person"}]}}')
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Missing required keys for person filter: key")).to_be_visible()
    watched.picture(f"cohort-refused-{look}")
    page.get_by_label("Filters").fill('{"properties": {"type": "OR", "values": []}}')
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert watched.complaints == []
